//! The decoder against any bytes, in any cuts.

use proptest::prelude::*;

use super::super::decoder::{Decoder, Step, Target};
use super::*;

fn decoder(limits: Limits) -> Decoder {
    Decoder::new("tcp://peer:1".parse().unwrap(), limits)
}

/// Gives the decoder bytes in pieces of the given lengths, over and over.
fn feed(
    decoder: &mut Decoder,
    mut stream: &[u8],
    cuts: &[usize],
) -> Result<Vec<(Bytes, Vec<Bytes>)>, TransportError> {
    let mut parcels = Vec::new();
    let mut cuts = cuts.iter().cycle();
    loop {
        loop {
            match decoder.step()? {
                Step::Parcel { head, frames } => parcels.push((head, frames)),
                Step::End => return Ok(parcels),
                Step::More => break,
            }
        }
        if stream.is_empty() {
            return Ok(parcels);
        }
        let cut = (*cuts.next().unwrap()).min(stream.len());
        let taken = match decoder.target() {
            Target::Buffer(buffer) => {
                buffer.extend_from_slice(&stream[..cut]);
                cut
            }
            Target::Block(block) => {
                assert!(!block.is_empty());
                let taken = block.len().min(cut);
                block[..taken].copy_from_slice(&stream[..taken]);
                decoder.filled(taken);
                taken
            }
        };
        stream = &stream[taken..];
    }
}

/// A stream of parcels, as the protocol has it.
fn encode(parcels: &[(Vec<u8>, Vec<Vec<u8>>)]) -> Vec<u8> {
    let mut stream = Vec::new();
    for (head, frames) in parcels {
        stream.push(0);
        stream.extend_from_slice(&(frames.len() as u32).to_le_bytes()[..3]);
        stream.extend_from_slice(&(head.len() as u32).to_le_bytes());
        for frame in frames {
            stream.extend_from_slice(&(frame.len() as u64).to_le_bytes());
        }
        stream.extend_from_slice(head);
        stream.extend(frames.iter().flatten());
        stream.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0]);
    }
    stream
}

fn parcels() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<Vec<u8>>)>> {
    let part = || {
        let length =
            prop_oneof![8 => 0..50_usize, 2 => 4000..5000_usize, 1 => 16_000..90_000_usize];
        (any::<u8>(), length).prop_map(|(start, length)| {
            (0..length).map(|at| start.wrapping_add(at as u8)).collect::<Vec<u8>>()
        })
    };
    prop::collection::vec((part(), prop::collection::vec(part(), 0..5)), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn parcels_survive_any_cut(
        parcels in parcels(),
        cuts in prop::collection::vec(prop_oneof![1..20_usize, 1000..70_000_usize], 1..8),
    ) {
        let received = feed(&mut decoder(Limits::default()), &encode(&parcels), &cuts).unwrap();
        prop_assert_eq!(received.len(), parcels.len());
        for ((head, frames), (sent_head, sent_frames)) in received.iter().zip(&parcels) {
            prop_assert_eq!(head, sent_head);
            prop_assert_eq!(frames, sent_frames);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_much_memory(
        mut stream in prop::collection::vec(any::<u8>(), 0..300),
        small in any::<bool>(),
        cuts in prop::collection::vec(1..50_usize, 1..5),
    ) {
        let limits = Limits {
            head_bytes: 1 << 16,
            frame_bytes: 1 << 16,
            parcel_bytes: 1 << 17,
            frames: 64,
            ..Limits::default()
        };
        if small {
            // Lengths that pass the limits, so that what comes after them is reached.
            for at in (0..stream.len()).step_by(8) {
                stream[at] %= 3;
                for byte in stream.iter_mut().skip(at + 2).take(2) {
                    *byte = 0;
                }
                for byte in stream.iter_mut().skip(at + 5).take(3) {
                    *byte %= 2;
                }
            }
        }
        let mut decoder = decoder(limits);
        _ = feed(&mut decoder, &stream, &cuts);
    }

    #[test]
    fn one_changed_byte_does_no_harm(
        parcels in parcels(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut stream = encode(&parcels);
        prop_assume!(!stream.is_empty());
        let at = place.index(stream.len());
        stream[at] = byte;
        let limits = Limits { frame_bytes: 1 << 20, head_bytes: 1 << 20, ..Limits::default() };
        _ = feed(&mut decoder(limits), &stream, &[4096]);
    }
}

#[test]
fn long_parts_begin_where_vectors_load() {
    let stream = encode(&[(vec![1; 20_000], vec![vec![2; 17_000], vec![3; 400_000]])]);
    let received = feed(&mut decoder(Limits::default()), &stream, &[10_000]).unwrap();
    for part in std::iter::once(&received[0].0).chain(&received[0].1) {
        assert_eq!(part.as_ptr() as usize % 64, 0);
    }
}

#[test]
fn a_short_frame_does_not_keep_the_buffer() {
    let stream = encode(&vec![(vec![], vec![vec![5; 100]]); 50]);
    let mut decoder = decoder(Limits::default());
    let received = feed(&mut decoder, &stream, &[60_000]).unwrap();
    let mut starts: Vec<_> = received.iter().map(|(_, frames)| frames[0].as_ptr()).collect();
    starts.sort_unstable();
    // Frames of one buffer would lie exactly as they did on the wire.
    assert!(starts.windows(2).any(|pair| pair[1] as usize - pair[0] as usize != 124));
}

#[test]
fn only_what_shrinks_is_compressed() {
    use super::super::compression::{compressed, is_wanted, is_worth_it};
    use super::super::framing::Coding;
    let zeros = Bytes::from(vec![0; 1 << 20]);
    assert!(is_worth_it(&zeros));
    let (coding, sent) = compressed(zeros.clone());
    assert_eq!(coding, Coding::Lz4);
    assert!(sent.len() < 10_000);
    let mut state = 1_u64;
    let noise: Vec<u8> = (0..1 << 20)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    assert!(!is_worth_it(&noise));
    assert_eq!(compressed(Bytes::from(noise)).0, Coding::Plain);
    assert!(!is_worth_it(&zeros[..1000]));
    let wanted = |compression, peer: &str| is_wanted(compression, &peer.parse().unwrap());
    assert!(wanted(Compression::Remote, "tcp://10.0.0.1:5"));
    assert!(wanted(Compression::Remote, "tls://somewhere:5"));
    assert!(!wanted(Compression::Remote, "tcp://127.0.0.1:5"));
    assert!(!wanted(Compression::Remote, "unix:///tmp/x"));
    assert!(!wanted(Compression::Never, "tcp://10.0.0.1:5"));
    assert!(wanted(Compression::Always, "unix:///tmp/x"));
    let limits = Limits { frame_bytes: 1000, ..Limits::default() };
    let mut stream = vec![0, 1, 0, 0, 0, 0, 0, 0];
    stream.extend_from_slice(&(sent.len() as u64 | 1 << 56).to_le_bytes());
    stream.extend_from_slice(&sent);
    let error = feed(&mut decoder(Limits::default()), &stream, &[4096]).map(|parcels| {
        assert_eq!(parcels[0].1[0], zeros);
    });
    error.unwrap();
    // What would become too long is refused before it becomes so.
    let large = Limits { frame_bytes: 100_000, ..limits };
    let error = feed(&mut decoder(large), &stream, &[4096]).unwrap_err();
    assert!(matches!(error, TransportError::Limit { size: 1_048_576, .. }), "{error:?}");
}
