//! A small service that keeps notes.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use uuid::Uuid;

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Note {
    pub id: Uuid,
    pub text: String,
}

type Notes = Arc<Mutex<HashMap<Uuid, Note>>>;

/// The service; a request that takes longer than ten seconds is given up.
pub fn app() -> Router {
    let slow = || async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        "done"
    };
    let timeout = tower_http::timeout::TimeoutLayer::with_status_code(
        StatusCode::REQUEST_TIMEOUT,
        Duration::from_secs(10),
    );
    Router::new()
        .route("/notes", post(create).get(list))
        .route("/notes/{id}", get(one))
        .route("/slow", get(slow))
        .layer(timeout)
        .with_state(Notes::default())
}

async fn create(State(notes): State<Notes>, Json(text): Json<String>) -> (StatusCode, Json<Note>) {
    let note = Note { id: Uuid::new_v4(), text };
    notes.lock().await.insert(note.id, note.clone());
    (StatusCode::CREATED, Json(note))
}

async fn list(State(notes): State<Notes>) -> Json<Vec<Note>> {
    let mut all: Vec<_> = notes.lock().await.values().cloned().collect();
    all.sort_by(|a, b| a.text.cmp(&b.text));
    Json(all)
}

async fn one(State(notes): State<Notes>, Path(id): Path<Uuid>) -> Result<Json<Note>, StatusCode> {
    notes.lock().await.get(&id).cloned().map(Json).ok_or(StatusCode::NOT_FOUND)
}
