//! Who is called for a webhook: what its `clientConfig` says, and where its Service leads
//! (apiserver v0.36, `util/webhook/client.go`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object, selector};

use crate::api::server::Api;

/// The annotation of a Service that says where it leads: `127.0.0.1:9443`.
const LEADS_TO: &str = "kubesim.dev/leads-to";

/// Who is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A host, by name or address.
    Host {
        /// Its name or address.
        name: Text,
        /// The port.
        port: u16,
    },
    /// A Service, of which the caller may know where it leads. Its certificate is for
    /// `NAME.NAMESPACE.svc`.
    Service {
        /// The Service.
        key: ObjectKey,
        /// Its port.
        port: u16,
        /// Where the cluster says that it leads: host and port.
        leads: Result<(Text, u16), String>,
    },
}

/// A `clientConfig`, read.
pub(in crate::api) struct Target {
    pub(in crate::api) to: Destination,
    pub(in crate::api) url: Text,
    pub(in crate::api) authorities: Vec<u8>,
}

impl Api {
    /// Who is called.
    ///
    /// # Errors
    /// Why nobody can be.
    pub(in crate::api) fn target(&self, config: &Tree) -> Result<Target, String> {
        let authorities = STANDARD.decode(config["caBundle"].str());
        let authorities = authorities.map_err(|_| "the caBundle is no base64".to_owned())?;
        let service = &config["service"];
        if service.as_map().is_none() {
            let (to, url) = read_url(config["url"].str())?;
            return Ok(Target { to, url, authorities });
        }
        let key = ObjectKey::new(service["namespace"].text(), service["name"].text());
        let port = service["port"].as_i64().and_then(|port| u16::try_from(port).ok());
        let port = port.unwrap_or(443);
        let path = service["path"].str();
        let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
        let url = format!("https://{}.{}.svc:{port}{slash}{path}", key.name, key.namespace);
        let leads = self.leads(&key, port);
        Ok(Target { to: Destination::Service { key, port, leads }, url: url.into(), authorities })
    }

    /// Where a Service leads: where its annotation says, to another name, or, if it selects no
    /// pods, to the first address that somebody has written down for it. Nothing runs in simulated
    /// pods.
    fn leads(&self, key: &ObjectKey, port: u16) -> Result<(Text, u16), String> {
        let service = self.store.get(&Resource::SERVICES, key);
        let service = service.ok_or_else(|| format!("service \"{}\" not found", key.name))?;
        let spec = &service["spec"];
        let said = object::annotation(service, LEADS_TO);
        if !said.is_empty() {
            let (host, port) = said.rsplit_once(':').unwrap_or((said, ""));
            let port = port.parse().map_err(|_| format!("{LEADS_TO}: \"{said}\" has no port"))?;
            return Ok((Text::new(host), port));
        }
        if spec["type"] == "ExternalName" {
            return Ok((spec["externalName"].text(), port));
        }
        let mut ports = spec["ports"].items().iter();
        let wanted = ports.find(|one| one["port"].as_i64() == Some(i64::from(port)));
        let Some(wanted) = wanted else {
            return Err(format!("no service port {port} found for service \"{}\"", key.name));
        };
        if spec["selector"].fields().next().is_some() {
            return Err(format!(
                "service \"{0}\" leads to pods, in which nothing runs: tell the server where its \
                 webhook is (`--route {1}/{0}=127.0.0.1:PORT`, or the Service's annotation \
                 {LEADS_TO}: 127.0.0.1:PORT)",
                key.name, key.namespace
            ));
        }
        self.written_down(key, &wanted["name"])
            .ok_or_else(|| format!("no endpoints available for service \"{}\"", key.name))
    }

    /// The first address of the EndpointSlices of a Service, or of its Endpoints, and the port of
    /// this name.
    fn written_down(&self, key: &ObjectKey, port: &Tree) -> Option<(Text, u16)> {
        let mut wanted = Tree::map();
        wanted.set(&["matchLabels", "kubernetes.io/service-name"], &key.name);
        let kind = Resource::ENDPOINT_SLICES;
        let slices = self.store.range(&kind, &key.namespace);
        let mut slices = slices
            .map(|(_, slice)| slice)
            .filter(|slice| selector::selects(&wanted, &slice["metadata"]["labels"]));
        let number = |ports: &Tree| {
            let named = |one: &&Tree| one["name"].str() == port.str();
            let found = ports.items().iter().find(named)?;
            u16::try_from(found["port"].as_i64()?).ok()
        };
        let of_slice = slices.find_map(|slice| {
            let endpoints = slice["endpoints"].items().iter();
            let mut ready =
                endpoints.filter(|one| one["conditions"]["ready"].as_bool() != Some(false));
            let address = ready.find_map(|one| one["addresses"].items().first())?;
            Some((address.text(), number(&slice["ports"])?))
        });
        of_slice.or_else(|| {
            let endpoints = self.store.get(&Resource::new("endpoints"), key)?;
            endpoints["subsets"].items().iter().find_map(|subset| {
                let address = subset["addresses"].items().first()?;
                Some((address["ip"].text(), number(&subset["ports"])?))
            })
        })
    }
}

/// The host and port of an HTTPS URL, and the URL as it is shown.
fn read_url(text: &str) -> Result<(Destination, Text), String> {
    let rest = text.strip_prefix("https://").ok_or("the URL of a webhook begins with https://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = (&rest[..end], rest[end..].split(['?', '#']).next().unwrap_or_default());
    let bracketed = host.strip_prefix('[').and_then(|host| host.split_once(']'));
    let (name, port) = match bracketed {
        Some((name, port)) => (name, port.strip_prefix(':')),
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let port = port.map_or(Ok(443), str::parse);
    let port = port.map_err(|_| format!("the URL \"{text}\" names no port"))?;
    let to = Destination::Host { name: Text::new(name), port };
    Ok((to, Text::from(format!("https://{host}{path}"))))
}

#[cfg(test)]
mod tests {
    use super::{Destination, read_url};

    #[test]
    fn a_url_names_a_host_and_a_port() {
        let read = |text: &str| match read_url(text) {
            Ok((Destination::Host { name, port }, url)) => format!("{name} {port} {url}"),
            other => format!("{other:?}"),
        };
        assert_eq!(read("https://localhost:8443/a?b"), "localhost 8443 https://localhost:8443/a");
        assert_eq!(read("https://[::1]:1/"), "::1 1 https://[::1]:1/");
        assert_eq!(read("https://example.org"), "example.org 443 https://example.org");
        assert!(read("https://a:b/").contains("no port") && read("http://a/").contains("https"));
    }
}
