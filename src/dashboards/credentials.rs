//! Where the person's credentials come from, as far as it decides what is to be done when AWS does not take them. Reads the
//! variables and the AWS configuration in the order of the SDK, and never a secret.

use std::borrow::Cow;

use aws_config::profile::{Profile, ProfileSet};
use aws_types::os_shim_internal::{Env, Fs};

/// The most profiles that take a role with the credentials of the next.
const LONGEST_CHAIN: usize = 8;

/// A source of credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialsFrom {
    /// Variables, which a running process cannot get anew.
    Environment,
    /// A login of `aws sso login`, under the profile that was chosen.
    SingleSignOn(String),
    /// A program that a profile names.
    Program(String),
    /// Keys that stand in a profile.
    Keys(String),
    /// A role of the machine or of a workload, or nothing at all.
    Elsewhere,
}

impl CredentialsFrom {
    /// Finds out where the SDK takes the credentials from, with `--profile` where it was given.
    pub async fn find(profile: Option<&str>) -> Self {
        Self::of(profile, &Env::real(), &Fs::real()).await
    }

    async fn of(profile: Option<&str>, env: &Env, fs: &Fs) -> Self {
        let is_set = |name: &str| env.get(name).is_ok_and(|value| !value.trim().is_empty());
        // The variables count before AWS_PROFILE, and behind a profile that was named to the command (src/aws.rs).
        if profile.is_none()
            && is_set("AWS_ACCESS_KEY_ID")
            && (is_set("AWS_SECRET_ACCESS_KEY") || is_set("SECRET_ACCESS_KEY"))
        {
            return Self::Environment;
        }
        let chosen = profile.map(|name| Cow::Owned(name.to_owned()));
        let Ok(profiles) = aws_config::profile::load(fs, env, &Default::default(), chosen).await else {
            return Self::Elsewhere;
        };
        Self::in_profiles(&profiles)
    }

    fn in_profiles(profiles: &ProfileSet) -> Self {
        let chosen = profiles.selected_profile();
        let mut name = chosen;
        for _ in 0..LONGEST_CHAIN {
            let Some(profile) = profiles.get_profile(name) else { return Self::Elsewhere };
            let has = |key: &str| profile.get(key).is_some();
            match source_of(profile) {
                Some(next) if next != name => name = next,
                None if has("role_arn") => return Self::Elsewhere,
                None if has("sso_session") || has("sso_start_url") => return Self::SingleSignOn(chosen.to_owned()),
                None if has("web_identity_token_file") => return Self::Elsewhere,
                None if has("credential_process") => return Self::Program(name.to_owned()),
                Some(_) | None if has("aws_access_key_id") => return Self::Keys(name.to_owned()),
                Some(_) | None => return Self::Elsewhere,
            }
        }
        Self::Elsewhere
    }
}

/// The profile whose credentials take this one's role.
fn source_of(profile: &Profile) -> Option<&str> {
    profile.get("role_arn").and_then(|_| profile.get("source_profile"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
[profile sso]
sso_session = acme
sso_account_id = 1
sso_role_name = a

[profile old-sso]
sso_start_url = https://acme.awsapps.com/start

[profile role]
role_arn = arn:aws:iam::1:role/a
source_profile = sso

[profile role-of-keys]
role_arn = arn:aws:iam::1:role/a
source_profile = keys

[profile role-of-itself]
role_arn = arn:aws:iam::1:role/a
source_profile = role-of-itself
aws_access_key_id = A

[profile round]
role_arn = arn:aws:iam::1:role/a
source_profile = trip

[profile trip]
role_arn = arn:aws:iam::1:role/a
source_profile = round

[profile machine]
role_arn = arn:aws:iam::1:role/a
credential_source = Ec2InstanceMetadata

[profile program]
credential_process = /bin/keys

[profile bare]
region = eu-west-1

[sso-session acme]
sso_start_url = https://acme.awsapps.com/start
sso_region = eu-west-1
";
    const KEYS: &str = "[keys]\naws_access_key_id = A\naws_secret_access_key = B\n";

    async fn found(profile: Option<&str>, variables: &[(&str, &str)]) -> CredentialsFrom {
        let fs = Fs::from_slice(&[("/home/.aws/config", CONFIG), ("/home/.aws/credentials", KEYS)]);
        let variables = [&[("HOME", "/home")], variables].concat();
        CredentialsFrom::of(profile, &Env::from_slice(&variables), &fs).await
    }

    #[tokio::test]
    async fn a_profile_says_where_its_credentials_come_from() {
        for (profile, from) in [
            ("sso", CredentialsFrom::SingleSignOn("sso".to_owned())),
            ("old-sso", CredentialsFrom::SingleSignOn("old-sso".to_owned())),
            ("role", CredentialsFrom::SingleSignOn("role".to_owned())),
            ("role-of-keys", CredentialsFrom::Keys("keys".to_owned())),
            ("role-of-itself", CredentialsFrom::Keys("role-of-itself".to_owned())),
            ("round", CredentialsFrom::Elsewhere),
            ("machine", CredentialsFrom::Elsewhere),
            ("program", CredentialsFrom::Program("program".to_owned())),
            ("keys", CredentialsFrom::Keys("keys".to_owned())),
            ("bare", CredentialsFrom::Elsewhere),
            ("missing", CredentialsFrom::Elsewhere),
        ] {
            assert_eq!(found(Some(profile), &[]).await, from, "{profile}");
            assert_eq!(found(None, &[("AWS_PROFILE", profile)]).await, from, "{profile}");
        }
        assert_eq!(found(None, &[]).await, CredentialsFrom::Elsewhere);
    }

    #[tokio::test]
    async fn whole_variables_win_over_a_profile_but_not_over_one_that_was_named() {
        let key = ("AWS_ACCESS_KEY_ID", "A");
        let whole = [key, ("AWS_SECRET_ACCESS_KEY", "B")];
        let sso = ("AWS_PROFILE", "sso");
        assert_eq!(found(None, &[&whole[..], &[sso]].concat()).await, CredentialsFrom::Environment);
        assert_eq!(found(None, &[key, sso]).await, CredentialsFrom::SingleSignOn("sso".to_owned()));
        assert_eq!(found(Some("keys"), &whole).await, CredentialsFrom::Keys("keys".to_owned()));
    }
}
