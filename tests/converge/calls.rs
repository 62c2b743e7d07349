//! How many calls a plan with nothing to do costs, and how deep they are.

use ekk_emulator::Effect;
use ekk_emulator::Fault;
use std::time::{Duration, Instant};

use crate::fixture::{Cloud, STACKS, Way, writes};

#[tokio::test]
async fn a_plan_with_nothing_to_do_costs_at_most_22_calls_and_none_is_a_write() {
    for text in STACKS {
        let cloud = Cloud::start().await;
        cloud.up(text).await;
        cloud.control().clear_requests();
        let plan = cloud.plan(text, Way::Up).await.expect("a plan");
        assert!(plan.is_empty());
        let requests = cloud.control().requests();
        let calls: Vec<String> =
            requests.iter().map(|request| format!("{:?} {}", request.service, request.operation)).collect();
        assert!(calls.len() <= 22, "{} calls: {calls:#?}", calls.len());
        assert_eq!(writes(&requests), Vec::<String>::new());
    }
}

/// Every answer takes the same time, so the whole takes as many of them as the calls are deep. The margin is wide: a
/// third round trip would show as half as much again.
#[tokio::test]
async fn a_plan_with_nothing_to_do_is_two_round_trips_deep() {
    let trip = Duration::from_secs(1);
    let cloud = Cloud::start().await;
    cloud.up(STACKS[0]).await;
    cloud.control().fault(Fault::everywhere(Effect::Delay(trip)));
    let began = Instant::now();
    let plan = cloud.plan(STACKS[0], Way::Up).await.expect("a plan");
    let trips = began.elapsed().as_secs_f64() / trip.as_secs_f64();
    assert!(plan.is_empty());
    assert!(trips < 2.9, "{trips:.1} round trips");
}
