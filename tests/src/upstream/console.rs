//! The simulated central system by hand: one command a line. SIMULATOR.md is the manual.

use super::{Endpoint, Fault, NotUnderstood, SimUpstream};

impl SimUpstream {
    /// Does what a line of text says and answers with a line; an empty line does nothing.
    pub fn command(&self, line: &str) -> Result<String, NotUnderstood> {
        let line = line.trim();
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        let count = || rest.parse::<usize>().map_err(|_| NotUnderstood("how many connections?"));
        match word {
            "" => return Ok(String::new()),
            "fault" => {
                let (endpoint, fault) =
                    rest.split_once(' ').ok_or(NotUnderstood("fault ENDPOINT FAULT [NUMBER]"))?;
                self.script(endpoint.parse::<Endpoint>()?, fault.parse::<Fault>()?);
            }
            "register" => self.set_registered(persona(rest)?, true),
            "unregister" => self.set_registered(persona(rest)?, false),
            "result" => {
                let (name, terminal) =
                    rest.split_once(' ').ok_or(NotUnderstood("result PERSONA TERMINAL"))?;
                let at = self.shared.state.now();
                if !self.add_result(persona(name)?, terminal.trim(), at) {
                    return Err(NotUnderstood("this persona gets no result"));
                }
            }
            "break" => {
                let (endpoint, fault) =
                    rest.split_once(' ').ok_or(NotUnderstood("break ENDPOINT FAULT [NUMBER]"))?;
                self.break_down(endpoint.parse::<Endpoint>()?, fault.parse::<Fault>()?);
            }
            "down" => self.go_down(),
            "mend" => self.mend(),
            "maintenance" => self.set_maintenance(match rest {
                "on" => true,
                "off" => false,
                _ => return Err(NotUnderstood("maintenance on, or maintenance off")),
            }),
            "date" => {
                self.set_date_ahead(rest.parse().map_err(|_| NotUnderstood("how many seconds ahead?"))?);
            }
            "refuse" => self.refuse_connections(count()?),
            "mute" => self.hang_connections(count()?),
            "forget-tokens" => self.forget_tokens(),
            "state" => return Ok(self.summary()),
            _ => return Err(NotUnderstood("no such command; SIMULATOR.md lists them")),
        }
        Ok("ok".to_owned())
    }

    fn summary(&self) -> String {
        let requests =
            Endpoint::paths().map(|(endpoint, _)| format!("{endpoint:?} {}", self.requests(endpoint)));
        format!(
            "connections {}, bytes {}, requests: {}",
            self.connections(),
            self.received_bytes(),
            requests.join(", ")
        )
    }
}

fn persona(name: &str) -> Result<&str, NotUnderstood> {
    let known = crate::personas::Personas::builtin().by_name(name).is_some();
    known.then_some(name).ok_or(NotUnderstood("no such persona; tests/personas.toml lists them"))
}
