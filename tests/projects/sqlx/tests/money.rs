//! A file, a pool, and transactions that end well or not at all.

use ledger::{accounts, create, open, transfer, Account};
use sqlx::sqlite::SqliteJournalMode;
use sqlx::SqlitePool;
use tokio::task::JoinSet;

fn account(name: &str, money: i64) -> Account {
    Account { name: name.to_owned(), money }
}

async fn three(pool: &SqlitePool) {
    for name in ["ada", "bob", "cy"] {
        create(pool, name, 100).await.unwrap();
    }
}

async fn money_moves_and_the_sum_stays(journal: SqliteJournalMode) {
    let folder = tempfile::tempdir().unwrap();
    let pool = open(&folder.path().join("ledger.db"), journal).await.unwrap();
    three(&pool).await;
    let mut moving = JoinSet::new();
    for number in 0..6 {
        let pool = pool.clone();
        moving.spawn(async move {
            let (from, to) = [("ada", "bob"), ("bob", "cy"), ("ada", "cy")][number % 3];
            transfer(&pool, from, to, 10).await.unwrap();
        });
    }
    moving.join_all().await;
    assert_eq!(accounts(&pool).await.unwrap(), [account("ada", 60), account("bob", 100), account("cy", 140)]);
    pool.close().await;
}

#[tokio::test]
async fn with_a_journal_that_is_rolled_back() {
    money_moves_and_the_sum_stays(SqliteJournalMode::Delete).await;
}

#[tokio::test]
async fn with_a_log_that_is_written_ahead_and_shared_in_memory() {
    money_moves_and_the_sum_stays(SqliteJournalMode::Wal).await;
}

#[tokio::test]
async fn who_has_not_enough_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let pool = open(&folder.path().join("ledger.db"), SqliteJournalMode::Delete).await.unwrap();
    three(&pool).await;
    let failure = transfer(&pool, "ada", "bob", 101).await.unwrap_err();
    assert!(failure.as_database_error().unwrap().is_check_violation(), "{failure}");
    assert!(matches!(transfer(&pool, "ada", "nobody", 1).await, Err(sqlx::Error::RowNotFound)));
    let twice = create(&pool, "cy", 5).await.unwrap_err();
    assert!(twice.as_database_error().unwrap().is_unique_violation());
    assert_eq!(accounts(&pool).await.unwrap(), ["ada", "bob", "cy"].map(|name| account(name, 100)));
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_is_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.db");
    let pool = open(&file, SqliteJournalMode::Wal).await.unwrap();
    three(&pool).await;
    let mut open_transaction = pool.begin().await.unwrap();
    sqlx::query("DELETE FROM account").execute(&mut *open_transaction).await.unwrap();
    drop(open_transaction);
    transfer(&pool, "bob", "ada", 7).await.unwrap();
    pool.close().await;
    let pool = open(&file, SqliteJournalMode::Wal).await.unwrap();
    assert_eq!(accounts(&pool).await.unwrap(), [account("ada", 107), account("bob", 93), account("cy", 100)]);
    pool.close().await;
}

#[tokio::test]
async fn a_database_in_memory() {
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    let row: (i64, String) = sqlx::query_as("SELECT 6 * 7, upper('done')").fetch_one(&pool).await.unwrap();
    assert_eq!(row, (42, "DONE".to_owned()));
    pool.close().await;
}
