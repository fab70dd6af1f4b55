//! Serves a simulated cluster for ten minutes and says how it is reached: address, authority and
//! token, as curl takes them.

use std::io::Write as _;

use kubesim::world::{Staff, WorldConfig};
use kubesim_server::{Options, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse())?;
    let server = Server::start(Options {
        world: WorldConfig::new(1, 2),
        staff: Staff::everybody(),
        speed: 1.0,
        port,
        restore: None,
        recorder: None,
        routes: Vec::new(),
    })?;
    let authority = std::env::temp_dir().join(format!("kubesim-{}.crt", std::process::id()));
    std::fs::write(&authority, server.authority())?;
    let (address, token) = (server.address(), server.token());
    let authority = authority.display();
    let header = format!("Authorization: Bearer {token}");
    let mut out = std::io::stdout();
    writeln!(out, "curl --cacert {authority} -H '{header}' https://{address}/api/v1/nodes")?;
    std::thread::sleep(std::time::Duration::from_secs(600));
    Ok(())
}
