//! Plans that go through bytes, and bytes that are no plans.

use proptest::prelude::*;
use samite_graph::{
    AnnotationId, GraphError, OperationId, Optimize, Plan, PlanBuilder, TaskId, optimize,
};

use crate::random::{Sample, samples};

fn same(one: &Plan, other: &Plan) -> Result<(), TestCaseError> {
    prop_assert_eq!(one.len(), other.len());
    prop_assert_eq!(one.edges(), other.edges());
    prop_assert_eq!(one.outputs(), other.outputs());
    for task in (0..one.len()).map(TaskId::from_index) {
        prop_assert_eq!(one.work(task), other.work(task));
        prop_assert_eq!(one.dependencies(task), other.dependencies(task));
        prop_assert_eq!(one.dependents(task), other.dependents(task));
        prop_assert_eq!(one.rank(task), other.rank(task));
        prop_assert_eq!(one.layer_name(task), other.layer_name(task));
        prop_assert_eq!(one.annotation(task), other.annotation(task));
    }
    Ok(())
}

fn encoded(plan: &Plan) -> Vec<u8> {
    let mut bytes = Vec::new();
    plan.encode(&mut bytes);
    bytes
}

fn planned(sample: &Sample, optimized: bool) -> Plan {
    match optimized {
        true => optimize(&sample.graph, &sample.outputs, &Optimize::default()).unwrap(),
        false => sample.graph.plan(&sample.outputs).unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_comes_back_as_it_was(sample in samples(), optimized in any::<bool>()) {
        let plan = planned(&sample, optimized);
        let bytes = encoded(&plan);
        same(&plan, &Plan::decode(&bytes).unwrap())?;
        let message = postcard::to_allocvec(&plan).unwrap();
        same(&plan, &postcard::from_bytes(&message).unwrap())?;
        // A part of it is never taken for the whole.
        for length in 0..bytes.len() {
            prop_assert!(Plan::decode(&bytes[..length]).is_err());
        }
    }

    #[test]
    fn changed_bytes_are_refused_or_make_another_valid_plan(
        sample in samples(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encoded(&planned(&sample, true));
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        if let Ok(plan) = Plan::decode(&bytes) {
            same(&plan, &Plan::decode(&encoded(&plan)).unwrap())?;
            for task in (0..plan.len()).map(TaskId::from_index) {
                let earlier = |needed: &TaskId| plan.rank(*needed) < plan.rank(task);
                prop_assert!(plan.dependencies(task).iter().all(earlier));
            }
        }
    }

    #[test]
    fn garbage_is_refused_and_takes_no_memory(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        if let Ok(plan) = Plan::decode(&bytes) {
            prop_assert!(plan.memory() < 64 * bytes.len());
        }
    }
}

#[test]
fn what_is_wrong_is_named() {
    let error = Plan::decode(&[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no plan can be read from these bytes: bytes are missing (at byte 0)"
    );
    // A million tasks are announced and none follows.
    let error = Plan::decode(&[1, 0xC0, 0x84, 0x3D, 0]).unwrap_err();
    assert!(matches!(error, GraphError::Malformed { what: "more is announced than follows", .. }));
}

#[test]
fn a_map_takes_two_bytes_a_task() {
    let mut builder = PlanBuilder::default();
    builder.begin_layer("map", Some(AnnotationId(0)));
    let tasks: Vec<TaskId> =
        (0..100_000).map(|task| builder.push(OperationId(task / 256), task % 256, [])).collect();
    let plan = builder.finish(tasks).unwrap();
    let bytes = encoded(&plan);
    // Two for its dependencies and its rank, one for it as an output.
    assert!(bytes.len() < 310_000, "{} bytes", bytes.len());
    assert_eq!(Plan::decode(&bytes).unwrap().len(), 100_000);
}
