//! What a client is told.

use health::start;
use tonic::transport::{Channel, Endpoint};
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus as Told;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::ServingStatus;

async fn client(address: std::net::SocketAddr) -> HealthClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    HealthClient::new(endpoint.connect().await.unwrap())
}

fn ask(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tokio::test]
async fn a_service_is_well_or_not_known() {
    let mut running = start().await.unwrap();
    running.reporter.set_service_status("db", ServingStatus::Serving).await;
    let mut client = client(running.address).await;
    let told = client.check(ask("db")).await.unwrap().into_inner();
    assert_eq!(told.status(), Told::Serving);
    assert_eq!(client.check(ask("mail")).await.unwrap_err().code(), Code::NotFound);
    running.task.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_sees_the_last_change() {
    let mut running = start().await.unwrap();
    running.reporter.set_service_status("db", ServingStatus::Serving).await;
    let mut client = client(running.address).await;
    let mut changes = client.watch(ask("db")).await.unwrap().into_inner();
    let mut reporter = running.reporter.clone();
    let ill = tokio::spawn(async move { reporter.set_service_status("db", ServingStatus::NotServing).await });
    loop {
        let told = changes.message().await.unwrap().expect("the watch goes on");
        if told.status() == Told::NotServing {
            break;
        }
    }
    ill.await.unwrap();
    running.task.abort();
}
