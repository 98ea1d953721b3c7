//! No money comes from nowhere, whoever pays whom in whatever order.

use channels::{audit, transfer, Account};
use std::sync::Arc;
use tokio::sync::{broadcast, watch, Semaphore};

async fn money_is_kept() {
    let (ledger, heard) = broadcast::channel(64);
    let (stop, stopped) = watch::channel(false);
    let auditor = tokio::spawn(audit(heard, stopped));
    let accounts: Vec<_> = (0..3).map(|_| Account::open(100, ledger.clone())).collect();
    let lanes = Arc::new(Semaphore::new(2));
    let moves: Vec<_> = (0..12)
        .map(|n| {
            let (lanes, from, to) = (Arc::clone(&lanes), accounts[n % 3].clone(), accounts[(n + 1) % 3].clone());
            tokio::spawn(async move { transfer(&lanes, &from, &to, 40).await })
        })
        .collect();
    let mut moved = 0;
    for done in moves {
        moved += u32::from(done.await.unwrap());
    }
    let mut sum = 0;
    for account in &accounts {
        let balance = account.balance().await;
        assert!(balance >= 0);
        sum += balance;
    }
    assert_eq!(sum, 300);
    assert!(moved > 0);
    stop.send(true).unwrap();
    assert_eq!(auditor.await.unwrap(), 0);
}

#[tokio::test]
async fn on_one_thread() {
    money_is_kept().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two() {
    money_is_kept().await;
}

#[tokio::test]
async fn an_account_that_nobody_has_is_closed() {
    let (ledger, mut heard) = broadcast::channel(4);
    let account = Account::open(10, ledger);
    assert!(account.pay(5).await);
    assert!(!account.pay(-20).await);
    drop(account);
    assert_eq!(heard.recv().await, Ok(5));
    assert_eq!(heard.recv().await, Err(broadcast::error::RecvError::Closed));
}
