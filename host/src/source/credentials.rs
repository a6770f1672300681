//! Who is asking a registry: what `docker login` or `podman login` left behind.

use docker_credential::{CredentialRetrievalError, DockerCredential};
use oci_client::secrets::RegistryAuth;

use super::error::SourceError;

/// Credentials for a registry; anonymous where the user has none for it.
///
/// # Errors
/// When there are some and they cannot be read.
pub(super) fn for_registry(registry: &str) -> Result<RegistryAuth, SourceError> {
    use CredentialRetrievalError as No;
    match docker_credential::get_credential(registry) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(RegistryAuth::Basic(user, password)),
        Ok(DockerCredential::IdentityToken(token)) => Ok(RegistryAuth::Bearer(token)),
        Err(No::ConfigNotFound | No::ConfigReadError | No::NoCredentialConfigured) => {
            Ok(RegistryAuth::Anonymous)
        }
        Err(error) => {
            Err(SourceError::Credentials { registry: registry.to_owned(), reason: error.to_string() })
        }
    }
}
