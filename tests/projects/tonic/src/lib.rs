//! A server that says over gRPC whether its services are well.

use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic_health::server::HealthReporter;

/// A running server.
pub struct Running {
    pub address: SocketAddr,
    pub reporter: HealthReporter,
    pub task: JoinHandle<Result<(), tonic::transport::Error>>,
}

/// Starts one on a free port.
pub async fn start() -> std::io::Result<Running> {
    let (reporter, service) = tonic_health::server::health_reporter();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = Server::builder().add_service(service);
    let task = tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    Ok(Running { address, reporter, task })
}
