//! What is needed to speak TLS: certificates and keys from their files, in rustls' form.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::file::{Clients, Tls, Version};

/// Reads the files that `tls` names. An error names the file, and nothing of what is in it.
pub(super) fn server(tls: &Tls) -> Result<Arc<ServerConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = verifier(&tls.clients, &provider)?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(tls))
        .map_err(|error| format!("cannot speak TLS: {error}"))?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::from_pem_file(&tls.key)
        .map_err(|error| format!("key_file {}: {error}", tls.key.display()))?;
    let mut config =
        builder.with_single_cert(certificates(&tls.cert, "cert_file")?, key).map_err(|error| {
            let (cert, key) = (tls.cert.display(), tls.key.display());
            format!("cert_file {cert} and key_file {key} are of no use together: {error}")
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn versions(tls: &Tls) -> Vec<&'static SupportedProtocolVersion> {
    let known = [(Version::Tls13, &TLS13), (Version::Tls12, &TLS12)];
    let spoken = known.into_iter().filter(|(version, _)| (tls.min..=tls.max).contains(version));
    spoken.map(|(_, version)| version).collect()
}

fn verifier(
    clients: &Clients,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
    let (Clients::MayShow(ca) | Clients::MustShow(ca)) = clients else { return Ok(None) };
    let wrong = |error: &dyn std::error::Error| format!("client_ca_file {}: {error}", ca.display());
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca, "client_ca_file")? {
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let builder = match clients {
        Clients::MayShow(_) => builder.allow_unauthenticated(),
        _ => builder,
    };
    builder.build().map(Some).map_err(|error| wrong(&error))
}

fn certificates(path: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |what: &dyn std::fmt::Display| format!("{key} {}: {what}", path.display());
    let read = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
    let certificates: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| wrong(&error))?;
    if certificates.is_empty() {
        return Err(wrong(&"holds no certificate"));
    }
    Ok(certificates)
}
