//! Facts about tokens of service accounts, and about questions that are answered and not stored.

use kubesim_model::request::Verb;

use super::*;

fn token(server: &mut Server, spec: Tree) -> String {
    let ask = Request::new(Verb::Create, Resource::SERVICE_ACCOUNTS, key("robot"))
        .with_subresource("token")
        .with_body(map! { "spec" => spec });
    server.fine(&ask)["status"]["token"].str().to_owned()
}

fn with_robot() -> Server {
    let mut server = Server::new();
    server.create(Resource::SERVICE_ACCOUNTS, map! { "metadata" => meta("robot") });
    server
}

#[test]
fn a_token_says_whose_it_is_until_its_time_is_over() {
    let mut server = with_robot();
    let token = token(&mut server, map! { "expirationSeconds" => 600 });
    let user = server.api.token_user(server.now, &token).expect("it holds");
    assert_eq!(user["username"], "system:serviceaccount:default:robot");
    assert!(server.api.token_user(server.now + 599_000, &token).is_some());
    assert!(server.api.token_user(server.now + 600_000, &token).is_none());
}

#[test]
fn a_token_ends_with_its_account() {
    let mut server = with_robot();
    let token = token(&mut server, map! {});
    server.fine(&Request::delete(Resource::SERVICE_ACCOUNTS, key("robot")));
    assert!(server.api.token_user(server.now, &token).is_none());
}

#[test]
fn a_token_for_others_or_changed_or_of_another_server_is_none() {
    let mut server = with_robot();
    let foreign = token(&mut server, map! { "audiences" => list!["other"] });
    assert!(server.api.token_user(server.now, &foreign).is_none());
    let own = token(&mut server, map! {});
    let mut changed = own.clone();
    changed.replace_range(50..51, if &own[50..51] == "a" { "b" } else { "a" });
    assert!(server.api.token_user(server.now, &changed).is_none());
    let mut other = Server { api: Api::new(99, ApiConfig::default()), now: 0 };
    other.create(Resource::SERVICE_ACCOUNTS, map! { "metadata" => meta("robot") });
    assert!(other.api.token_user(server.now, &own).is_none());
    for nonsense in ["", ".", "a.b.c", "eyJ.eyJ.", &"x".repeat(100_000)] {
        assert!(server.api.token_user(server.now, nonsense).is_none());
    }
}

#[test]
fn parts_of_the_control_plane_are_told_and_not_stored() {
    let mut server = Server::new();
    let parts = Resource::new("componentstatuses");
    assert_eq!(server.fine(&Request::list(parts.clone(), ""))["items"].items().len(), 3);
    let key = ObjectKey::new("", "etcd-0");
    assert_eq!(server.fine(&Request::get(parts.clone(), key.clone()))["kind"], "ComponentStatus");
    assert_eq!(server.fails(&Request::delete(parts, key)).code, 405);
}
