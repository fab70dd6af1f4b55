//! Facts about what every namespace holds.

use kubesim_model::resource::Resource;
use kubesim_model::{map, object};

use super::{root_certificate, service_account};
use crate::testbed::Testbed;

fn namespace(bed: &mut Testbed, name: &str) {
    bed.put(&Resource::NAMESPACES, map! { "metadata" => map! { "name" => name } });
}

#[test]
fn each_namespace_gets_its_service_account_again_and_again() {
    let mut bed = Testbed::new(service_account());
    namespace(&mut bed, "n");
    bed.run(1_000);
    assert!(!bed.get(Resource::SERVICE_ACCOUNTS, "n", "default").is_null());
    bed.remove(Resource::SERVICE_ACCOUNTS, "n", "default");
    bed.run(1_000);
    assert!(!bed.get(Resource::SERVICE_ACCOUNTS, "n", "default").is_null());
}

#[test]
fn a_changed_certificate_is_restored_and_a_namespace_that_ends_gets_none() {
    let mut bed = Testbed::new(root_certificate("PEM"));
    namespace(&mut bed, "n");
    bed.run(1_000);
    let name = "kube-root-ca.crt";
    assert_eq!(bed.get(Resource::CONFIG_MAPS, "n", name)["data"], map! { "ca.crt" => "PEM" });
    bed.edit(Resource::CONFIG_MAPS, "n", name, |map| map.set(&["data", "ca.crt"], "other"));
    bed.run(1_000);
    assert_eq!(bed.get(Resource::CONFIG_MAPS, "n", name)["data"]["ca.crt"], "PEM");
    bed.edit(Resource::NAMESPACES, "", "n", |namespace| {
        namespace.set(&["metadata", "deletionTimestamp"], object::timestamp(0));
    });
    bed.run(1_000);
    bed.remove(Resource::CONFIG_MAPS, "n", name);
    bed.run(1_000);
    assert!(bed.get(Resource::CONFIG_MAPS, "n", name).is_null());
}
