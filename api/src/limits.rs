//! Limits: how much a client may send, how long it may take, how many may be connected.

use std::time::Duration;

/// Limits of a listener and its requests. The defaults suit one clinic; tests lower them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once; one more is told 503 and closed.
    pub connections: usize,
    /// Connections open at once from one address; one more is told 503 and closed.
    pub connections_per_peer: usize,
    /// From the first byte awaited (a new or an idle connection) to the end of the request's head.
    pub header_timeout: Duration,
    /// Size of a request's head in bytes; hyper needs at least 8192.
    pub header_bytes: usize,
    /// Number of headers in a request.
    pub headers: usize,
    /// Size of a request's body in bytes.
    pub body_bytes: usize,
    /// Size of the body of a bulk ([`BULK_PATH`]) in bytes: 10,000 items.
    pub bulk_body_bytes: usize,
    /// From the end of the head to the end of the body; a second more for every [`BODY_BYTES_PER_SECOND`] that came.
    pub body_timeout: Duration,
    /// How long a client may leave lying what was written for it, answers and streams alike.
    pub write_timeout: Duration,
    /// Requests a second that an account may make for ever.
    pub requests_per_second: u32,
    /// Requests that an account may make at once, after a pause.
    pub request_burst: u32,
    /// Sign-ins and enrolments a second that an address may try for ever: each leaves a row in the audit log.
    pub strangers_per_second: u32,
    /// As many at once, after a pause.
    pub stranger_burst: u32,
    /// From the end of the head to the start of the answer; longer than the longest long poll of a check. A bulk's body has its
    /// own time besides.
    pub request_timeout: Duration,
    /// The same for the long poll of results ([`CHANGES_PATH`]).
    pub changes_timeout: Duration,
    /// Event streams and long polls of results open at once.
    pub streams: usize,
    /// As many of one account.
    pub streams_of_account: usize,
    /// Exports at once.
    pub exports: usize,
    /// As many of one account.
    pub exports_of_account: usize,
    /// How long a graceful stop waits for open requests.
    pub stop_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            // On loopback everybody has the same address.
            connections_per_peer: 512,
            header_timeout: Duration::from_secs(5),
            header_bytes: 16 * 1024,
            headers: 64,
            body_bytes: 64 * 1024,
            bulk_body_bytes: 4 * 1024 * 1024,
            body_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(5),
            requests_per_second: 100,
            request_burst: 1_000,
            strangers_per_second: 100,
            stranger_burst: 1_000,
            request_timeout: Duration::from_secs(40),
            changes_timeout: Duration::from_secs(75),
            streams: 128,
            streams_of_account: 32,
            exports: 4,
            exports_of_account: 2,
            stop_within: Duration::from_secs(3),
        }
    }
}

/// The pace at which a body that is longer than its timeout must go on coming: that of a very slow network.
pub const BODY_BYTES_PER_SECOND: u64 = 64 * 1024;

/// Where inquiry numbers come in bulk: the one route with a larger body.
pub const BULK_PATH: &str = "/v1/inquiry-numbers/bulk";

/// Where changes of results are waited for: the one route that may take longer.
pub const CHANGES_PATH: &str = "/v1/results/changes";

impl Limits {
    /// The limits of the listener on the clinic's network, whose clients have addresses of their own.
    #[must_use]
    pub fn lan() -> Self {
        Self {
            connections: 256,
            connections_per_peer: 32,
            strangers_per_second: 5,
            stranger_burst: 50,
            ..Self::default()
        }
    }

    /// Size of the body of a request to this path in bytes.
    pub fn body_bytes_of(&self, path: &str) -> usize {
        if path == BULK_PATH { self.bulk_body_bytes } else { self.body_bytes }
    }

    /// From the end of the head of a request to this path to the start of its answer.
    pub fn request_timeout_of(&self, path: &str) -> Duration {
        match path {
            CHANGES_PATH => self.changes_timeout,
            // What comes at the promised pace leaves as much time for the work as any other request has.
            BULK_PATH => self.request_timeout + self.longest_body_of(path),
            _ => self.request_timeout,
        }
    }

    /// How long the largest body of a request to this path may take.
    fn longest_body_of(&self, path: &str) -> Duration {
        let earned = Duration::from_secs(self.body_bytes_of(path) as u64 / BODY_BYTES_PER_SECOND);
        self.body_timeout + earned
    }
}

/// Longest wait for changes of results, in seconds.
pub const LONGEST_CHANGES_WAIT_SECONDS: u32 = 60;

/// Longest wait for a check, in seconds.
pub const LONGEST_WAIT_SECONDS: u32 = 25;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_time_for_its_longest_body_and_for_the_work_after_it() {
        let wait = Duration::from_secs(LONGEST_WAIT_SECONDS.into());
        for limits in [Limits::default(), Limits::lan()] {
            for path in [BULK_PATH, "/v1/inquiry-numbers", "/v1/checks/c1"] {
                let needed = limits.longest_body_of(path) + wait;
                assert!(limits.request_timeout_of(path) >= needed, "{path}: {needed:?}");
            }
            assert_eq!(
                limits.longest_body_of(BULK_PATH),
                Duration::from_secs(69),
                "5 s and 4 MiB at 64 KiB/s"
            );
            let changes_wait = Duration::from_secs(LONGEST_CHANGES_WAIT_SECONDS.into());
            assert!(limits.request_timeout_of(CHANGES_PATH) > changes_wait, "a long poll has no body");
        }
    }
}
