//! The names of registries and repositories. Docker Hub has several of each.

/// The usual name of Docker Hub.
pub(super) const DOCKER_HUB: &str = "docker.io";
/// The host that answers for it.
const DOCKER_HUB_ENDPOINT: &str = "registry-1.docker.io";
/// The part of Docker Hub whose repositories have names of one part.
const LIBRARY: &str = "library";

/// Returns the name under which the logins of a host are kept.
pub(super) fn canonical_host(host: &str) -> &str {
    match host {
        "index.docker.io" | DOCKER_HUB_ENDPOINT => DOCKER_HUB,
        host => host,
    }
}

/// Returns the host to connect to.
pub(super) fn endpoint(host: &str) -> &str {
    match canonical_host(host) {
        DOCKER_HUB => DOCKER_HUB_ENDPOINT,
        host => host,
    }
}

/// Returns the full name of a repository.
pub(super) fn full_repository(host: &str, repository: &str) -> String {
    if canonical_host(host) == DOCKER_HUB && !repository.contains('/') {
        format!("{LIBRARY}/{repository}")
    } else {
        repository.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_hub_has_several_names() {
        let rows = [
            ("docker.io", "alpine", "registry-1.docker.io/library/alpine"),
            ("index.docker.io", "a/b", "registry-1.docker.io/a/b"),
            (
                "registry-1.docker.io",
                "b",
                "registry-1.docker.io/library/b",
            ),
            ("ghcr.io", "alpine", "ghcr.io/alpine"),
            ("localhost:5000", "a/b/c", "localhost:5000/a/b/c"),
        ];
        for (host, repository, expected) in rows {
            let repository = full_repository(host, repository);
            assert_eq!(format!("{}/{repository}", endpoint(host)), expected);
        }
    }
}
