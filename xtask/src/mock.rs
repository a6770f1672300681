//! `vbench mock` as a child process.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::workspace::line;

/// The server. Ended when dropped.
#[derive(Debug)]
pub struct Mock {
    child: Child,
    stdout: BufReader<ChildStdout>,
    url: String,
}

impl Mock {
    /// The command of a server on a free port.
    pub fn command(vbench: &Path, model: &str, ttft_ms: &str, itl_ms: &str) -> Command {
        let mut command = Command::new(vbench);
        command.args(["mock", "--port", "0", "--model", model, "--ttft-ms", ttft_ms, "--itl-ms", itl_ms]);
        command
    }

    /// Starts the server and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started, or ends without saying where it listens.
    pub fn start(command: &mut Command) -> Result<Self> {
        let what = line(command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{what}`"))?;
        let stdout = child.stdout.take().context("standard output is not a pipe")?;
        let mut mock = Self { child, stdout: BufReader::new(stdout), url: String::new() };
        let mut greeting = String::new();
        mock.stdout.read_line(&mut greeting).with_context(|| format!("cannot read what `{what}` prints"))?;
        match url(&greeting) {
            Some(url) => mock.url = url.to_owned(),
            None => bail!("`{what}` did not say where it listens, but: {:?}", greeting.trim()),
        }
        Ok(mock)
    }

    /// Where it listens, without a path.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends the server so that it writes its log. Gives its report.
    ///
    /// # Errors
    /// It had ended already, or failed.
    pub fn stop(mut self) -> Result<String> {
        kill_process(self.pid()?, Signal::TERM).context("the mock server cannot be signalled")?;
        let mut report = String::new();
        self.stdout.read_to_string(&mut report).context("the mock server's report cannot be read")?;
        let status = self.child.wait().context("the mock server cannot be waited for")?;
        if !status.success() {
            bail!("the mock server failed: {status}");
        }
        Ok(report)
    }

    fn pid(&self) -> Result<Pid> {
        i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .context("the mock server has no process id")
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        // After `stop` both do nothing: the child has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The URL in the server's first line.
fn url(greeting: &str) -> Option<&str> {
    greeting.split_whitespace().find(|word| word.starts_with("http://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Mock> {
        Mock::start(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn the_url_is_in_the_first_line() {
        assert_eq!(
            url("mock server for model \"demo\" at http://127.0.0.1:4711\n"),
            Some("http://127.0.0.1:4711")
        );
        assert_eq!(url("error: in use\n"), None);
    }

    #[test]
    fn a_server_is_started_and_stopped() {
        let script =
            "trap 'echo report; exit 0' TERM; echo at http://127.0.0.1:1; while :; do sleep 0.01; done";
        let mock = shell(script).unwrap();
        assert_eq!(mock.url(), "http://127.0.0.1:1");
        assert_eq!(mock.stop().unwrap(), "report\n");
    }

    #[test]
    fn a_server_that_does_not_come_up_is_an_error() {
        let error = shell("echo no such port; exit 3").unwrap_err().to_string();
        assert!(error.contains("no such port"), "{error}");
        assert!(shell("exit 0").is_err());
    }
}
