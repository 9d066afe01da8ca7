//! GitHub Enterprise Server whose certificate is of an authority of one's own: `SSL_CERT_FILE` names it for all.

use crate::house::House;
use crate::replicas::Replica;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The test GitHub behind TLS.
struct Terminator {
    url: String,
    /// The authority, as a file would have it.
    authority: String,
    /// It ends with this.
    _runtime: Runtime,
}

impl Terminator {
    fn start(target: SocketAddr) -> Self {
        let mut authority = CertificateParams::new([]).expect("parameters");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key"));
        let authority = authority.expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let own = CertificateParams::new(["localhost".to_string()]).expect("parameters");
        let own = own.signed_by(&key, &authority).expect("a certificate");
        let acceptor = acceptor(own.der().clone(), PrivateKeyDer::try_from(key.serialize_der()));
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Who does not believe the certificate goes away.
                    let mut inside = acceptor.accept(stream).await?;
                    copy_bidirectional(&mut inside, &mut TcpStream::connect(target).await?).await
                });
            }
        });
        let url = format!("https://localhost:{port}");
        Self { url, authority: pem(authority.der()), _runtime: runtime }
    }
}

fn pem(certificate: &[u8]) -> String {
    let text = STANDARD.encode(certificate);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn acceptor(
    own: CertificateDer<'static>,
    key: Result<PrivateKeyDer<'static>, &str>,
) -> TlsAcceptor {
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![own], key.expect("a key"));
    TlsAcceptor::from(Arc::new(config.expect("a configuration")))
}

#[test]
fn one_file_of_authorities_is_believed_by_all_that_talk_to_github() {
    let house = House::new();
    let address = house.github.url().trim_start_matches("http://").parse().expect("an address");
    let tls = Terminator::start(address);
    let file = house.folder.path().join("authorities.pem");
    std::fs::write(&file, &tls.authority).expect("a file");
    let database = format!("sqlite:{}", house.folder.path().join("queue.db").display());
    let mut replica = Replica::new();
    let mut check = replica.command(&house, &database, &tls.url);
    check.arg("--check-config").env_remove("SSL_CERT_FILE").env_remove("GIT_SSL_CAINFO");
    let refused = check.output().expect("the program runs");
    assert!(!refused.status.success(), "nobody vouches for it");
    let mut command = replica.command(&house, &database, &tls.url);
    command.env("SSL_CERT_FILE", &file).env_remove("GIT_SSL_CAINFO").stderr(Stdio::null());
    replica.spawn(command);
    house.expect_one_review("failure");
}
