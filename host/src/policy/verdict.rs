//! Applying a policy.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{Builtins, Grants, NetworkImports, Policy, PolicyError, PolicyLimits};
use crate::digest::Sha256Hex;
use crate::plugin::contract::{PathGrant, Role};
use crate::plugin::{Access, Candidate, Gate, Inspection, Limits};
use crate::source::{Provenance, Resolver, SignatureError, SourceError};

const MIB: u64 = 1 << 20;

/// Where evidence of a plugin's publisher is found.
pub trait Evidence: Send + Sync {
    /// Evidence for the plugin with this SHA-256; none if there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn provenance(&self, sha256: &Sha256Hex) -> Result<Option<Provenance>, SourceError>;
}

impl Evidence for std::sync::Arc<Resolver> {
    fn provenance(&self, sha256: &Sha256Hex) -> Result<Option<Provenance>, SourceError> {
        Resolver::provenance(self, sha256)
    }
}

/// The door under a policy.
pub struct PolicyGate<E> {
    policy: Policy,
    evidence: E,
}

/// The rule that lets a plugin in.
struct Admitted<'a> {
    limits: &'a PolicyLimits,
    grants: &'a Grants,
}

impl<E: Evidence> PolicyGate<E> {
    /// A door under this policy.
    pub fn new(policy: Policy, evidence: E) -> Self {
        Self { policy, evidence }
    }

    /// The rule that lets a plugin in which is not built in.
    fn rule(&self, inspection: &Inspection) -> Result<Admitted<'_>, String> {
        let policy = &self.policy;
        let sha256 = Sha256Hex::parse(&inspection.sha256).ok_or("its SHA-256 is not known")?;
        if policy.denied.contains(&sha256) {
            return Err(self.says(format!("names SHA-256 {sha256} under `deny`")));
        }
        let mut reasons = Vec::new();
        for rule in policy.plugins.iter().filter(|rule| rule.sha256 == sha256) {
            match roles(rule.roles.as_deref(), inspection) {
                Ok(()) => return Ok(Admitted { limits: &rule.limits, grants: &rule.grants }),
                Err(reason) => reasons.push(reason),
            }
        }
        if !policy.publishers.is_empty() {
            match self.evidence.provenance(&sha256) {
                Ok(Some(provenance)) => {
                    for publisher in &policy.publishers {
                        let checked = provenance
                            .signed_by(&publisher.key, &sha256)
                            .map_err(|error| error.to_string())
                            .and_then(|signed| {
                                repository(publisher.repositories.as_deref(), &signed.repository)
                            })
                            .and_then(|()| roles(publisher.roles.as_deref(), inspection));
                        match checked {
                            Ok(()) => {
                                return Ok(Admitted { limits: &publisher.limits, grants: &publisher.grants });
                            }
                            Err(reason) => reasons.push(format!("publisher `{}`: {reason}", publisher.name)),
                        }
                    }
                }
                Ok(None) => reasons.push(SignatureError::None.to_string()),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        let because = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) };
        Err(self.says(format!("allows no plugin with SHA-256 {sha256}{because}")))
    }

    fn says(&self, what: String) -> String {
        format!("policy {} {what}", self.policy.path.display())
    }
}

impl<E: Evidence> Gate for PolicyGate<E> {
    fn admit(&self, candidate: &Candidate<'_>, limits: &Limits) -> Result<Limits, String> {
        let policy = &self.policy;
        if let Some(name) = candidate.builtin {
            let allowed = match &policy.builtins {
                Builtins::All(all) => *all,
                Builtins::Named(names) => names.iter().any(|allowed| allowed == name),
            };
            return if allowed {
                Ok(limits.clone())
            } else {
                Err(self.says(format!("does not allow the built-in plugin `{name}`")))
            };
        }
        let inspection = candidate.inspection;
        let rule = self.rule(inspection)?;
        if policy.network_imports == NetworkImports::Refuse
            && let Some(import) = inspection.imports.iter().find(|import| import.access == Access::Denied)
        {
            return Err(self.says(format!("allows no plugin that imports the network, as `{}`", import.name)));
        }
        if let Some(most) = rule.limits.file_mib
            && inspection.size_bytes > u64::from(most) * MIB
        {
            return Err(
                self.says(format!("allows it {most} MiB, and it has {} bytes", inspection.size_bytes))
            );
        }
        let mut limits = limits.clone();
        rule.limits.lower(&mut limits);
        Ok(limits)
    }

    fn grant(&self, candidate: &Candidate<'_>, paths: &[PathGrant]) -> Result<(), String> {
        let own =
            if candidate.builtin.is_some() { None } else { Some(self.rule(candidate.inspection)?.grants) };
        let allowed: Vec<&PathBuf> =
            self.policy.grants.read.iter().chain(own.into_iter().flat_map(|own| &own.read)).collect();
        for PathGrant { path, config_key } in paths {
            if !allowed.iter().any(|allowed| is_within(path, allowed)) {
                let listed = match &allowed[..] {
                    [] => "nothing".to_owned(),
                    some => some.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
                };
                return Err(self.says(format!(
                    "does not let it read {}, which option `{config_key}` names; it may read {listed}",
                    path.display()
                )));
            }
        }
        Ok(())
    }
}

impl PolicyLimits {
    /// Brings limits down to what is allowed.
    pub fn lower(&self, limits: &mut Limits) {
        if let Some(mib) = self.file_mib {
            limits.file_bytes = limits.file_bytes.min(u64::from(mib) * MIB);
        }
        if let Some(mib) = self.memory_mib {
            for role in [&mut limits.dataset, &mut limits.backend, &mut limits.sla] {
                role.memory_bytes = role.memory_bytes.min(u64::from(mib) * MIB);
            }
        }
        if let Some(mib) = self.request_mib {
            limits.request_bytes = limits.request_bytes.min(u64::from(mib) * MIB);
        }
        if let Some(mib) = self.batch_mib {
            for role in [&mut limits.dataset, &mut limits.backend, &mut limits.sla] {
                role.batch_bytes = role.batch_bytes.min(u64::from(mib) * MIB);
            }
        }
        if let Some(most) = self.call_time_s.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
            let time = &mut limits.time;
            for each in [
                &mut time.describe,
                &mut time.open,
                &mut time.next,
                &mut time.build,
                &mut time.parse,
                &mut time.evaluate,
            ] {
                *each = (*each).min(most);
            }
        }
    }

    /// Refuses what the user's own options, `asked`, ask for beyond these bounds.
    ///
    /// # Errors
    /// When they do; `path` is the policy's.
    pub fn check_options(&self, path: &Path, asked: &Self) -> Result<(), PolicyError> {
        let beyond = |option, most| PolicyError::Limit { path: path.to_owned(), option, most };
        for (option, asked, most) in [
            ("--plugin-memory-mib", asked.memory_mib, self.memory_mib),
            ("--plugin-request-mib", asked.request_mib, self.request_mib),
            ("--plugin-batch-mib", asked.batch_mib, self.batch_mib),
        ] {
            if let (Some(asked), Some(most)) = (asked, most)
                && asked > most
            {
                return Err(beyond(option, format!("{most} MiB")));
            }
        }
        if let (Some(asked), Some(most)) = (asked.call_time_s, self.call_time_s)
            && asked > most
        {
            return Err(beyond("--plugin-timeout-s", format!("{most} s")));
        }
        Ok(())
    }
}

fn roles(allowed: Option<&[Role]>, inspection: &Inspection) -> Result<(), String> {
    let Some(allowed) = allowed else { return Ok(()) };
    match inspection.roles.iter().find(|role| !allowed.contains(role)) {
        None => Ok(()),
        Some(role) => Err(format!("it may not be a {} plugin", role.name())),
    }
}

fn repository(allowed: Option<&[String]>, signed: &str) -> Result<(), String> {
    let Some(allowed) = allowed else { return Ok(()) };
    let fits = allowed.iter().any(|allowed| match allowed.strip_suffix("/*") {
        Some(above) => signed.strip_prefix(above).is_some_and(|rest| rest.starts_with('/')),
        None => allowed == signed,
    });
    if fits { Ok(()) } else { Err(format!("it was signed for repository {signed}")) }
}

/// Whether a path is `allowed` or lies below it, links followed. What is not
/// there lies nowhere.
fn is_within(path: &Path, allowed: &Path) -> bool {
    match (path.canonicalize(), allowed.canonicalize()) {
        (Ok(path), Ok(allowed)) => path.starts_with(allowed),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use semver::Version;

    use super::*;
    use crate::plugin::{Import, Source};

    struct Nothing;

    impl Evidence for Nothing {
        fn provenance(&self, _: &Sha256Hex) -> Result<Option<Provenance>, SourceError> {
            Ok(None)
        }
    }

    fn gate(text: &str) -> PolicyGate<Nothing> {
        let policy = Policy::parse(Path::new("policy.toml"), &format!("version = 1\n{text}")).unwrap();
        PolicyGate::new(policy, Nothing)
    }

    fn inspection(content: &[u8]) -> Inspection {
        Inspection {
            roles: vec![Role::Dataset],
            api_version: Version::new(0, 1, 0),
            imports: Vec::new(),
            sha256: Sha256Hex::of(content).to_string(),
            size_bytes: content.len() as u64,
        }
    }

    fn admit(
        gate: &PolicyGate<Nothing>,
        inspection: &Inspection,
        builtin: Option<&str>,
    ) -> Result<Limits, String> {
        let source = if builtin.is_some() { Source::BuiltIn } else { Source::File(PathBuf::from("x.wasm")) };
        let candidate = Candidate { shown: "x.wasm", builtin, source: &source, inspection };
        gate.admit(&candidate, &Limits::default())
    }

    fn rule(content: &[u8], more: &str) -> String {
        format!("[[plugin]]\nsha256 = \"{}\"\n{more}", Sha256Hex::of(content))
    }

    #[test]
    fn only_what_is_named_gets_in() {
        let gate_ = gate(&rule(b"good", ""));
        assert!(admit(&gate_, &inspection(b"good"), None).is_ok());
        let error = admit(&gate_, &inspection(b"goof"), None).unwrap_err();
        assert!(error.contains("policy policy.toml allows no plugin with SHA-256"), "{error}");
        // A name proves nothing.
        assert!(admit(&gate(""), &inspection(b"random"), None).is_err());
        let denied = format!("{}\n[[deny]]\nsha256 = \"{}\"", rule(b"good", ""), Sha256Hex::of(b"good"));
        assert!(admit(&gate(&denied), &inspection(b"good"), None).unwrap_err().contains("`deny`"));
    }

    #[test]
    fn built_ins_are_allowed_unless_the_policy_says_which() {
        let any = inspection(b"any");
        assert!(admit(&gate(""), &any, Some("random")).is_ok());
        assert!(admit(&gate("builtins = [\"random\"]"), &any, Some("random")).is_ok());
        assert!(admit(&gate("builtins = [\"random\"]"), &any, Some("hf")).unwrap_err().contains("`hf`"));
        assert!(admit(&gate("builtins = false"), &any, Some("random")).is_err());
    }

    #[test]
    fn roles_imports_and_sizes_are_held_against_the_rule() {
        let good = inspection(b"good");
        assert!(admit(&gate(&rule(b"good", "roles = [\"dataset\"]")), &good, None).is_ok());
        let error = admit(&gate(&rule(b"good", "roles = [\"sla\"]")), &good, None).unwrap_err();
        assert!(error.contains("may not be a dataset plugin"), "{error}");

        let name = "wasi:sockets/tcp@0.2.6".to_owned();
        let networked = Inspection { imports: vec![Import { name, access: Access::Denied }], ..good.clone() };
        assert!(admit(&gate(&rule(b"good", "")), &networked, None).is_ok());
        let refuse = format!("network-imports = \"refuse\"\n{}", rule(b"good", ""));
        assert!(admit(&gate(&refuse), &networked, None).unwrap_err().contains("wasi:sockets"));

        let large = Inspection { size_bytes: 3 * MIB, ..good };
        let small = rule(b"good", "limits = { file-mib = 2 }");
        assert!(admit(&gate(&small), &large, None).unwrap_err().contains("2 MiB"));
    }

    #[test]
    fn limits_only_ever_go_down() {
        let text = rule(b"good", "limits = { memory-mib = 100, call-time-s = 2.0 }");
        let limits = admit(&gate(&text), &inspection(b"good"), None).unwrap();
        assert_eq!(limits.dataset.memory_bytes, 100 * MIB);
        assert_eq!(limits.sla.memory_bytes, 64 * MIB, "the default is lower");
        assert_eq!(limits.time.next, Duration::from_secs(2));
        assert_eq!(limits.time.parse, Duration::from_secs(1), "the default is shorter");
        let none = PolicyLimits::default();
        let bounds = PolicyLimits {
            memory_mib: Some(100),
            request_mib: Some(4),
            batch_mib: Some(5),
            call_time_s: Some(2.0),
            ..none
        };
        let path = Path::new("p.toml");
        assert!(bounds.check_options(path, &bounds).is_ok() && none.check_options(path, &bounds).is_ok());
        for (asked, option) in [
            (PolicyLimits { memory_mib: Some(101), ..none }, "--plugin-memory-mib"),
            (PolicyLimits { request_mib: Some(5), ..none }, "--plugin-request-mib"),
            (PolicyLimits { batch_mib: Some(6), ..none }, "--plugin-batch-mib"),
            (PolicyLimits { call_time_s: Some(2.1), ..none }, "--plugin-timeout-s"),
        ] {
            assert!(bounds.check_options(path, &asked).unwrap_err().to_string().contains(option), "{option}");
        }
        let mut limits = Limits::default();
        bounds.lower(&mut limits);
        assert_eq!((limits.request_bytes, limits.dataset.batch_bytes), (4 * MIB, 5 * MIB));
    }

    #[test]
    fn files_are_those_below_what_is_named_links_followed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("data")).unwrap();
        for file in ["data/a.json", "secret", "database"] {
            std::fs::write(at(file), "x").unwrap();
        }
        std::os::unix::fs::symlink(at("secret"), at("data/link")).unwrap();
        let text = format!("[grants]\nread = [{:?}]", at("data"));
        let gate_ = gate(&text);
        let source = Source::BuiltIn;
        let inspection = inspection(b"");
        let candidate =
            Candidate { shown: "`x`", builtin: Some("x"), source: &source, inspection: &inspection };
        let grant =
            |path: PathBuf| gate_.grant(&candidate, &[PathGrant { config_key: "path".to_owned(), path }]);
        assert!(grant(at("data/a.json")).is_ok());
        assert!(grant(at("data")).is_ok());
        for path in ["secret", "database", "data/link", "data/../secret", "data/missing", "."] {
            let error = grant(at(path)).unwrap_err();
            assert!(error.contains("does not let it read"), "{path}: {error}");
        }
        assert!(gate("").grant(&candidate, &[]).is_ok());
    }

    #[test]
    fn repositories_fit_whole_or_by_folder() {
        let allowed = ["ghcr.io/acme/*".to_owned(), "ghcr.io/umbrella/x".to_owned()];
        for signed in ["ghcr.io/acme/traces", "ghcr.io/acme/a/b", "ghcr.io/umbrella/x"] {
            assert!(repository(Some(&allowed), signed).is_ok(), "{signed}");
        }
        for signed in ["ghcr.io/acme", "ghcr.io/acmeevil/x", "ghcr.io/umbrella/xx", "evil/ghcr.io/acme/x"] {
            assert!(repository(Some(&allowed), signed).is_err(), "{signed}");
        }
        assert!(repository(None, "anything").is_ok());
    }

    proptest! {
        /// The order of rules decides nothing, and the same question has the same answer.
        #[test]
        fn the_same_input_has_the_same_verdict(
            contents in proptest::collection::vec(0_u8..6, 0..6),
            denied in proptest::collection::vec(0_u8..6, 0..3),
            asked in 0_u8..6,
        ) {
            let text = |contents: &[u8]| {
                let rules = contents.iter().map(|&content| rule(&[content], ""));
                let denials = denied.iter().map(|&content| format!("[[deny]]\nsha256 = \"{}\"\n", Sha256Hex::of(&[content])));
                rules.chain(denials).collect::<String>()
            };
            let mut reversed = contents.clone();
            reversed.reverse();
            let inspection = inspection(&[asked]);
            let verdict = admit(&gate(&text(&contents)), &inspection, None);
            prop_assert_eq!(&verdict, &admit(&gate(&text(&contents)), &inspection, None));
            prop_assert_eq!(&verdict, &admit(&gate(&text(&reversed)), &inspection, None));
            prop_assert_eq!(verdict.is_ok(), contents.contains(&asked) && !denied.contains(&asked));
        }
    }
}
