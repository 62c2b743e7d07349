//! Where a stack lives. Every ARN is built here, so that resources need not wait for each other's answers.

use crate::error::{Error, Result};

/// A partition, a region and an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `aws`, `aws-cn`, `aws-us-gov` or `aws-eusc`.
    pub partition: String,
    /// The region, such as `eu-west-1`.
    pub region: String,
    /// The account, twelve digits.
    pub account: String,
}

impl Target {
    /// Reads partition and account from the ARN that `sts:GetCallerIdentity` answers.
    ///
    /// # Errors
    /// Fails when the ARN does not have the form `arn:partition:service:region:account:resource`.
    pub fn from_caller_arn(arn: &str, region: &str) -> Result<Self> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", partition, _, _, account, _] if !account.is_empty() => Ok(Self {
                partition: (*partition).to_owned(),
                region: region.to_owned(),
                account: (*account).to_owned(),
            }),
            _ => Err(Error::failed(format!("sts get caller identity: `{arn}` is not an ARN"))),
        }
    }

    /// Returns the ARN of an IAM role; `path` begins and ends with a slash.
    #[must_use]
    pub fn role_arn(&self, path: &str, name: &str) -> String {
        format!("arn:{}:iam::{}:role{path}{name}", self.partition, self.account)
    }

    /// Returns the ARN that stands for all IAM principals of the account in a policy.
    #[must_use]
    pub fn account_root_arn(&self) -> String {
        format!("arn:{}:iam::{}:root", self.partition, self.account)
    }

    /// Returns the ARN of a bucket.
    #[must_use]
    pub fn bucket_arn(&self, name: &str) -> String {
        format!("arn:{}:s3:::{name}", self.partition)
    }

    /// Returns the ARN of an OpenSearch Service domain.
    #[must_use]
    pub fn domain_arn(&self, name: &str) -> String {
        format!("arn:{}:es:{}:{}:domain/{name}", self.partition, self.region, self.account)
    }

    /// Returns the ARN of a delivery stream.
    #[must_use]
    pub fn stream_arn(&self, name: &str) -> String {
        format!("arn:{}:firehose:{}:{}:deliverystream/{name}", self.partition, self.region, self.account)
    }

    /// Returns the ARN of a log group, without the `:*` that DescribeLogGroups appends.
    #[must_use]
    pub fn log_group_arn(&self, name: &str) -> String {
        format!("arn:{}:logs:{}:{}:log-group:{name}", self.partition, self.region, self.account)
    }

    /// Fills `{account}` and `{region}` in a name.
    #[must_use]
    pub fn fill(&self, name: &str) -> String {
        name.replace("{account}", &self.account).replace("{region}", &self.region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_arn_gives_partition_and_account() {
        let target =
            Target::from_caller_arn("arn:aws-cn:sts::123456789012:assumed-role/ci/x:y", "cn-north-1").expect("an ARN");
        assert_eq!(target.partition, "aws-cn");
        assert_eq!(target.account, "123456789012");
        assert_eq!(target.domain_arn("logs"), "arn:aws-cn:es:cn-north-1:123456789012:domain/logs");
    }

    #[test]
    fn what_is_no_arn_is_refused() {
        Target::from_caller_arn("root", "eu-west-1").expect_err("not an ARN");
    }
}
