//! Where Services lead that are called from outside of the simulated pods, in which nothing runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::str::FromStr;

use kubesim_model::Text;
use kubesim_model::resource::ObjectKey;
use thiserror::Error;

/// Says where one Service leads: `NAMESPACE/NAME[:PORT]=127.0.0.1:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    service: ObjectKey,
    port: Option<u16>,
    to: SocketAddr,
}

/// What a text lacks to be a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RouteError {
    /// It has another form.
    #[error("a route is written as NAMESPACE/NAME[:PORT]=127.0.0.1:PORT")]
    Form,
    /// It leads out of this machine.
    #[error("a route leads to an address of this machine, as 127.0.0.1:9443")]
    Elsewhere,
}

impl FromStr for Route {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Route, RouteError> {
        let (service, to) = text.split_once('=').ok_or(RouteError::Form)?;
        let (namespace, name) = service.split_once('/').ok_or(RouteError::Form)?;
        let (name, port) = match name.split_once(':') {
            Some((name, port)) => (name, Some(port.parse().map_err(|_| RouteError::Form)?)),
            None => (name, None),
        };
        if namespace.is_empty() || name.is_empty() || name.contains('/') {
            return Err(RouteError::Form);
        }
        let to = to.replacen("localhost:", "127.0.0.1:", 1);
        let to: SocketAddr = to.parse().map_err(|_| RouteError::Form)?;
        if !to.ip().is_loopback() {
            return Err(RouteError::Elsewhere);
        }
        Ok(Route { service: ObjectKey::new(Text::new(namespace), Text::new(name)), port, to })
    }
}

/// Where Services lead.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes(BTreeMap<(ObjectKey, Option<u16>), SocketAddr>);

impl Routes {
    pub(crate) fn new(routes: Vec<Route>) -> Routes {
        let routes = routes.into_iter();
        Routes(routes.map(|route| ((route.service, route.port), route.to)).collect())
    }

    /// Where a port of a Service leads; what is said of that port goes before what is said of all.
    pub(crate) fn of(&self, service: &ObjectKey, port: u16) -> Option<SocketAddr> {
        let find = |port| self.0.get(&(service.clone(), port)).copied();
        find(Some(port)).or_else(|| find(None))
    }
}

#[cfg(test)]
mod tests {
    use super::{Route, RouteError, Routes};

    #[test]
    fn a_route_of_a_port_goes_before_one_of_the_service() {
        let routes = ["a/b=127.0.0.1:1", "a/b:9443=[::1]:2", "a/c=localhost:3"];
        let routes = routes.map(|text| text.parse::<Route>().unwrap());
        let routes = Routes::new(routes.to_vec());
        let of = |name: &str, port| {
            let key = kubesim_model::resource::ObjectKey::new("a", name);
            routes.of(&key, port).map(|to| to.to_string())
        };
        assert_eq!(of("b", 443).as_deref(), Some("127.0.0.1:1"));
        assert_eq!(of("b", 9443).as_deref(), Some("[::1]:2"));
        assert_eq!(of("c", 1).as_deref(), Some("127.0.0.1:3"));
        assert_eq!(of("d", 443), None);
    }

    #[test]
    fn routes_lead_nowhere_else_than_to_this_machine() {
        let read = |text: &str| text.parse::<Route>().unwrap_err();
        assert_eq!(read("a/b=10.0.0.1:443"), RouteError::Elsewhere);
        for text in ["", "a=127.0.0.1:1", "a/b", "a/b:x=127.0.0.1:1", "/b=127.0.0.1:1", "a/b=x"] {
            assert_eq!(read(text), RouteError::Form, "{text}");
        }
    }
}
