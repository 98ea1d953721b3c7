//! The service as its clients see it.

use notes::{app, Note};
use reqwest::{Client, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

struct Server {
    root: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let stopped = async move { stopped.await.unwrap_or_default() };
            axum::serve(listener, app()).with_graceful_shutdown(stopped).await.unwrap();
        });
        Self { root, stop, task }
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

async fn five_clients() {
    let server = Server::start().await;
    let client = Client::new();
    let mut posts = JoinSet::new();
    for text in ["a", "b", "c", "d", "e"] {
        let post = client.post(format!("{}/notes", server.root)).json(text);
        posts.spawn(async move {
            let answer = post.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::CREATED);
            answer.json::<Note>().await.unwrap()
        });
    }
    let mut made = posts.join_all().await;
    made.sort_by(|a, b| a.text.cmp(&b.text));
    let listed: Vec<Note> =
        client.get(format!("{}/notes", server.root)).send().await.unwrap().json().await.unwrap();
    assert_eq!(listed, made);
    let one = client.get(format!("{}/notes/{}", server.root, made[2].id)).send().await.unwrap();
    assert_eq!(one.json::<Note>().await.unwrap(), made[2]);
    let none = client.get(format!("{}/notes/{}", server.root, uuid::Uuid::nil())).send().await.unwrap();
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
    drop(client);
    server.end().await;
}

#[tokio::test]
async fn notes_are_kept() {
    five_clients().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn notes_are_kept_by_several_workers() {
    five_clients().await;
}

/// Ten seconds on a real machine, none in a simulated one.
#[tokio::test]
async fn a_slow_request_is_given_up() {
    let server = Server::start().await;
    let began = std::time::Instant::now();
    let answer = reqwest::get(format!("{}/slow", server.root)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(began.elapsed().as_secs(), 10);
    drop(answer);
    server.end().await;
}
