//! Letters under seal: TLS over TCP, with certificates that the program issues itself.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Who issues certificates.
pub struct Office {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key.
pub struct Seal {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Office {
    pub fn new() -> Result<Self, rcgen::Error> {
        let mut parameters = CertificateParams::new(Vec::new())?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Ok(Self { issuer: CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)? })
    }

    pub fn issue(&self, name: &str) -> Result<Seal, rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &self.issuer)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        Ok(Seal { certificate: certificate.der().clone(), key })
    }

    fn trust(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a certificate that was just made");
        roots.into()
    }

    /// A server's side, which asks clients for a certificate if it is told so.
    pub fn acceptor(&self, seal: Seal, asks: bool) -> TlsAcceptor {
        let builder = ServerConfig::builder();
        let builder = match asks {
            true => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder(self.trust()).build().expect("there is a root"),
            ),
            false => builder.with_no_client_auth(),
        };
        let config = builder.with_single_cert(vec![seal.certificate], seal.key).expect("the key fits");
        TlsAcceptor::from(Arc::new(config))
    }

    /// A client's side, with or without a certificate.
    pub fn connector(&self, seal: Option<Seal>) -> TlsConnector {
        let builder = ClientConfig::builder().with_root_certificates(self.trust());
        let config = match seal {
            Some(seal) => builder.with_client_auth_cert(vec![seal.certificate], seal.key).expect("the key fits"),
            None => builder.with_no_client_auth(),
        };
        TlsConnector::from(Arc::new(config))
    }
}

/// Answers each letter with its length and its sender's, for every connection that gets as far as that.
pub async fn serve(listener: TcpListener, acceptor: TlsAcceptor) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let mut stream = acceptor.accept(stream).await?;
            let mut letter = Vec::new();
            stream.read_to_end(&mut letter).await?;
            let known = stream.get_ref().1.peer_certificates().is_some();
            stream.write_all(format!("{} bytes, {}", letter.len(), if known { "signed" } else { "unsigned" }).as_bytes()).await?;
            stream.shutdown().await
        });
    }
}

/// Connects to whoever says to be `name`.
pub async fn connect(address: std::net::SocketAddr, name: &str, connector: &TlsConnector) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    connector.connect(name, TcpStream::connect(address).await?).await
}

/// Sends one letter, and answers what was said about it.
pub async fn post(mut stream: TlsStream<TcpStream>, letter: &[u8]) -> io::Result<String> {
    stream.write_all(letter).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
