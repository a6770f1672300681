//! What the system allows, looked at before the run.

use anyhow::anyhow;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::screen::Screen;
use crate::fault::Fault;

/// Descriptors that are open besides the connections.
const SPARE: u64 = 64;

/// Makes room for `connections` sockets at a time, raising the soft limit of
/// open files where the hard limit allows.
///
/// # Errors
/// When there cannot be as many and the run is `certain` to need them.
pub fn make_room(connections: u64, certain: bool, screen: &Screen) -> Result<(), Fault> {
    let needed = connections.saturating_add(SPARE);
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current else { return Ok(()) };
    if current >= needed {
        return Ok(());
    }
    let wanted = limit.maximum.map_or(needed, |maximum| needed.min(maximum));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    if raised.is_ok() && wanted >= needed {
        return Ok(());
    }
    let text = format!(
        "up to {connections} connections at a time, but only {wanted} files may be open: raise the limit \
         (`ulimit -n {needed}`) or lower --max-concurrency"
    );
    if certain {
        return Err(Fault::user(anyhow!("the run needs {text}")));
    }
    screen.warn(format!("the run may need {text}"));
    Ok(())
}
