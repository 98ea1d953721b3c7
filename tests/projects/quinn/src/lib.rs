//! Parcels over QUIC.

use quinn::{ClientConfig, Connection, Endpoint, ServerConfig, TransportConfig};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::RootCertStore;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// A server's endpoint on any port, and what its clients must trust.
pub fn server() -> Result<(Endpoint, CertificateDer<'static>), Box<dyn Error>> {
    let own = rcgen::generate_simple_self_signed(vec!["depot.example".to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let mut config = ServerConfig::with_single_cert(vec![own.cert.der().clone()], key.into())?;
    config.transport_config(transport());
    Ok((Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into())?, own.cert.into()))
}

/// A client's endpoint.
pub fn client(trusted: CertificateDer<'static>) -> Result<Endpoint, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted)?;
    let mut config = ClientConfig::with_root_certificates(Arc::new(roots))?;
    config.transport_config(transport());
    let mut endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into())?;
    endpoint.set_default_client_config(config);
    Ok(endpoint)
}

fn transport() -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    config.max_idle_timeout(Some(Duration::from_secs(5).try_into().expect("it is short")));
    config.max_concurrent_bidi_streams(4_u8.into());
    config.into()
}

/// Serves connections until the endpoint is closed.
pub async fn serve(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let connection = incoming.await?;
            tokio::spawn(postcards(connection.clone()));
            loop {
                let (mut send, mut receive) = connection.accept_bi().await?;
                tokio::spawn(async move {
                    let mut parcel = receive.read_to_end(1 << 20).await?;
                    parcel.reverse();
                    send.write_all(&parcel).await?;
                    send.finish()?;
                    Ok::<_, Box<dyn Error + Send + Sync>>(())
                });
            }
            #[allow(unreachable_code)]
            Ok::<_, quinn::ConnectionError>(())
        });
    }
}

/// Answers each datagram with its length.
async fn postcards(connection: Connection) -> Result<(), Box<dyn Error + Send + Sync>> {
    loop {
        let card = connection.read_datagram().await?;
        connection.send_datagram(vec![card.len() as u8].into())?;
    }
}

/// Opens a connection to the depot.
pub async fn connect(endpoint: &Endpoint, to: SocketAddr) -> Result<Connection, Box<dyn Error + Send + Sync>> {
    Ok(endpoint.connect(to, "depot.example")?.await?)
}

/// Sends a parcel on a stream of its own, and answers what comes back.
pub async fn send(connection: &Connection, parcel: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let (mut send, mut receive) = connection.open_bi().await?;
    send.write_all(parcel).await?;
    send.finish()?;
    Ok(receive.read_to_end(1 << 20).await?)
}
