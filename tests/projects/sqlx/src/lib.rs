//! Accounts in SQLite, through a pool of sqlx.

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::SqlitePool;
use std::path::Path;
use std::time::Duration;

#[derive(Debug, PartialEq)]
pub struct Account {
    pub name: String,
    pub money: i64,
}

/// Opens the file, and makes its table the first time.
pub async fn open(file: &Path, journal: SqliteJournalMode) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true).journal_mode(journal);
    let options = options.busy_timeout(Duration::from_secs(20));
    let pool = SqlitePoolOptions::new().max_connections(3).connect_with(options).await?;
    let table = "CREATE TABLE IF NOT EXISTS account (name TEXT PRIMARY KEY, money INTEGER NOT NULL CHECK (money >= 0))";
    sqlx::query(table).execute(&pool).await?;
    Ok(pool)
}

pub async fn create(pool: &SqlitePool, name: &str, money: i64) -> sqlx::Result<()> {
    let insert = sqlx::query("INSERT INTO account (name, money) VALUES (?, ?)");
    insert.bind(name).bind(money).execute(pool).await?;
    Ok(())
}

/// Moves money, all of it or nothing.
pub async fn transfer(pool: &SqlitePool, from: &str, to: &str, money: i64) -> sqlx::Result<()> {
    // Who will write says so at once: two readers that both want to write would wait for each other.
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    for (name, change) in [(to, money), (from, -money)] {
        let update = sqlx::query("UPDATE account SET money = money + ? WHERE name = ?");
        let done = update.bind(change).bind(name).execute(&mut *transaction).await?;
        if done.rows_affected() != 1 {
            return Err(sqlx::Error::RowNotFound);
        }
    }
    transaction.commit().await
}

pub async fn accounts(pool: &SqlitePool) -> sqlx::Result<Vec<Account>> {
    let rows: Vec<(String, i64)> = sqlx::query_as("SELECT name, money FROM account ORDER BY name").fetch_all(pool).await?;
    Ok(rows.into_iter().map(|(name, money)| Account { name, money }).collect())
}
