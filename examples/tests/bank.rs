//! The bank under many seeds.

use sim_examples::bank::{Retry, scenario};

/// Finds the bug. Under `cargo sim test` it fails and shows how; under `cargo test` it passes if it was found.
#[sim::test(runs = 200, time_limit = "10m", should_fail = "money moved twice")]
async fn a_client_that_sends_again_moves_money_twice() {
    scenario(Retry::WhateverFailed).await;
}

/// The corrected client.
#[sim::test(time_limit = "10m")]
async fn a_client_that_knows_what_was_sent_does_not() {
    scenario(Retry::OnlyUnsent).await;
}
