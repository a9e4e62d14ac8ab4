//! What goes wrong in a simulation, and how often.

use crate::simulation::random::Random;

/// The faults of a simulation. Times are in nanoseconds, chances from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// The shortest and the longest time that a message takes.
    pub delay: (u64, u64),
    /// The chance that a message is lost; it is sent again after `resend`.
    pub loss: f64,
    /// The time after which a lost message is sent again.
    pub resend: u64,
    /// The chance that a message comes twice, the second time at any later time.
    pub duplicate: f64,
    /// The chance that a worker fails to get an input from a live peer that has it.
    pub fetch: f64,
    /// The chance that a task asks to be run again.
    pub reschedule: f64,
    /// Workers killed in the course of `horizon`; each is replaced after a while.
    pub kills: u32,
    /// Workers that join in the course of `horizon`.
    pub joins: u32,
    /// Changes of capacity and of memory pressure, each undone after a while.
    pub squeezes: u32,
    /// Values that a worker's store loses.
    pub losses: u32,
    /// How often the scheduler is killed and restarted on its journal.
    pub restarts: u32,
    /// Workers told to leave; each is replaced at once.
    pub retirements: u32,
    /// How often values are moved for balance.
    pub rebalances: u32,
    /// The chance that a worker is ten times slower than others.
    pub slow: f64,
    /// All that is counted happens before this time.
    pub horizon: u64,
}

impl Faults {
    /// Nothing goes wrong; messages take up to a millisecond.
    pub const fn none() -> Self {
        Self {
            delay: (100_000, 1_000_000),
            loss: 0.0,
            resend: 20_000_000,
            duplicate: 0.0,
            fetch: 0.0,
            reschedule: 0.0,
            kills: 0,
            joins: 0,
            squeezes: 0,
            losses: 0,
            restarts: 0,
            retirements: 0,
            rebalances: 0,
            slow: 0.0,
            horizon: 100_000_000,
        }
    }

    /// Each fault is there or not, by chance.
    pub fn random(random: &mut Random) -> Self {
        let mut often = |chance: f64, most: f64| {
            if random.chance(chance) { most * random.between(1, 100) as f64 / 100.0 } else { 0.0 }
        };
        let (loss, duplicate, fetch) = (often(0.4, 0.2), often(0.4, 0.3), often(0.3, 0.2));
        let (reschedule, slow) = (often(0.2, 0.2), often(0.3, 0.5));
        let mut count = |chance: f64, most: u64| {
            if random.chance(chance) { random.between(1, most) as u32 } else { 0 }
        };
        let (kills, joins, squeezes) = (count(0.6, 6), count(0.3, 3), count(0.4, 8));
        let (losses, restarts) = (count(0.3, 5), count(0.2, 2));
        let (retirements, rebalances) = (count(0.3, 3), count(0.3, 3));
        let longest = [200_000, 1_000_000, 10_000_000, 40_000_000][random.below(4) as usize];
        Self {
            delay: (10_000, longest),
            loss,
            duplicate,
            fetch,
            reschedule,
            kills,
            joins,
            squeezes,
            losses,
            restarts,
            retirements,
            rebalances,
            slow,
            horizon: random.between(10_000_000, 400_000_000),
            ..Self::none()
        }
    }
}
