//! Services, what is behind them, and what leads to them.

use kubesim_model::Millis;
use kubesim_model::tree::Tree;

use super::cells::{age, first_of, joined, labels, or_none, selector};
use super::sheet::Row;

/// How many addresses, ports and hosts are shown.
const MOST: usize = 3;

pub(super) const ROWS: &[Row] = &[
    ("services", "Type|Cluster-IP|External-IP|Port(s)|Age|+Selector", service),
    ("endpoints", "Endpoints|Age", endpoints),
    ("endpointslices.discovery.k8s.io", "AddressType|Ports|Endpoints|Age", slice),
    ("ingresses.networking.k8s.io", "Class|Hosts|Address|Ports|Age", ingress),
    ("ingressclasses.networking.k8s.io", "Controller|Parameters|Age", ingress_class),
    ("networkpolicies.networking.k8s.io", "Pod-Selector|Age", policy),
    ("ipaddresses.networking.k8s.io", "ParentRef", address),
    ("servicecidrs.networking.k8s.io", "CIDRs|Age", range),
];

fn service(found: &Tree, now: Millis) -> Vec<Tree> {
    let spec = &found["spec"];
    let kind = spec["type"].str();
    let ports = spec["ports"].items().iter().map(|port| {
        let (number, protocol) = (port["port"].as_i64().unwrap_or(0), port["protocol"].str());
        match port["nodePort"].as_i64().unwrap_or(0) {
            0 => format!("{number}/{protocol}"),
            node => format!("{number}:{node}/{protocol}"),
        }
    });
    vec![
        kind.into(),
        or_none(&spec["clusterIP"]),
        outside(found, kind),
        joined(ports, ","),
        age(found, now),
        labels(&spec["selector"]),
    ]
}

fn outside(found: &Tree, kind: &str) -> Tree {
    let external = found["spec"]["externalIPs"].items().iter().map(|ip| ip.str().to_owned());
    let mut external: Vec<String> = external.collect();
    match kind {
        "ExternalName" => found["spec"]["externalName"].text().into(),
        "LoadBalancer" => {
            let given = balanced(&found["status"]["loadBalancer"]);
            external.splice(..0, given);
            if external.is_empty() { "<pending>".into() } else { external.join(",").into() }
        }
        _ => joined(external, ","),
    }
}

/// The addresses that a load balancer has.
fn balanced(balancer: &Tree) -> Vec<String> {
    let addresses = balancer["ingress"].items().iter().map(|one| match one["ip"].str() {
        "" => one["hostname"].str().to_owned(),
        ip => ip.to_owned(),
    });
    addresses.filter(|address| !address.is_empty()).collect()
}

fn endpoints(found: &Tree, now: Millis) -> Vec<Tree> {
    let mut texts = Vec::new();
    for subset in found["subsets"].items() {
        let (addresses, ports) = (subset["addresses"].items(), subset["ports"].items());
        if ports.is_empty() {
            texts.extend(addresses.iter().map(|address| address["ip"].str().to_owned()));
        }
        for port in ports {
            let number = port["port"].as_i64().unwrap_or(0);
            let reached = |ip: &str| match ip.contains(':') {
                true => format!("[{ip}]:{number}"),
                false => format!("{ip}:{number}"),
            };
            texts.extend(addresses.iter().map(|address| reached(address["ip"].str())));
        }
    }
    let shown = if texts.is_empty() { "<none>".to_owned() } else { first_of(&texts, MOST) };
    vec![shown.into(), age(found, now)]
}

fn slice(found: &Tree, now: Millis) -> Vec<Tree> {
    let ports = found["ports"].items().iter().map(|port| match port["port"].as_i64() {
        Some(number) => number.to_string(),
        None => "*".to_owned(),
    });
    let ports: Vec<String> = ports.collect();
    let addresses = found["endpoints"].items().iter().flat_map(|one| one["addresses"].items());
    let addresses: Vec<String> = addresses.map(|address| address.str().to_owned()).collect();
    let unset = |texts: &[String]| match texts.is_empty() {
        true => Tree::from("<unset>"),
        false => first_of(texts, MOST).into(),
    };
    vec![found["addressType"].text().into(), unset(&ports), unset(&addresses), age(found, now)]
}

fn ingress(found: &Tree, now: Millis) -> Vec<Tree> {
    let spec = &found["spec"];
    let hosts = spec["rules"].items().iter().map(|rule| rule["host"].str().to_owned());
    let hosts: Vec<String> = hosts.filter(|host| !host.is_empty()).collect();
    let hosts = if hosts.is_empty() { "*".to_owned() } else { first_of(&hosts, MOST) };
    let ports = if spec["tls"].items().is_empty() { "80" } else { "80, 443" };
    vec![
        or_none(&spec["ingressClassName"]),
        hosts.into(),
        balanced(&found["status"]["loadBalancer"]).join(",").into(),
        ports.into(),
        age(found, now),
    ]
}

fn ingress_class(found: &Tree, now: Millis) -> Vec<Tree> {
    let parameters = &found["spec"]["parameters"];
    let shown = match parameters.is_null() {
        true => "<none>".to_owned(),
        false => {
            let group = parameters["apiGroup"].str();
            let group = if group.is_empty() { String::new() } else { format!(".{group}") };
            format!("{}{group}/{}", parameters["kind"].str(), parameters["name"].str())
        }
    };
    vec![found["spec"]["controller"].text().into(), shown.into(), age(found, now)]
}

fn policy(found: &Tree, now: Millis) -> Vec<Tree> {
    vec![selector(&found["spec"]["podSelector"]), age(found, now)]
}

fn address(found: &Tree, _: Millis) -> Vec<Tree> {
    let parent = &found["spec"]["parentRef"];
    let place = [&parent["resource"], &parent["namespace"], &parent["name"]].map(Tree::str);
    let place: Vec<&str> = place.into_iter().filter(|part| !part.is_empty()).collect();
    let group = parent["group"].str();
    let shown = place.join("/");
    vec![if group.is_empty() { shown.into() } else { format!("{group}.{shown}").into() }]
}

fn range(found: &Tree, now: Millis) -> Vec<Tree> {
    let ranges = found["spec"]["cidrs"].items().iter().map(|one| one.str());
    let ranges: Vec<&str> = ranges.collect();
    vec![ranges.join(",").into(), age(found, now)]
}
