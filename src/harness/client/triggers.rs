//! The calls about triggers. A person makes them one by one and waits, so each is made once and
//! what it came to is told as it is.

use http::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};

use super::super::classify::{Body, Reply};
use super::super::triggers::{NewTrigger, Trigger, TriggerError, triggers_url};
use super::super::wire;
use super::{Client, Stopwatch};
use crate::config::{Account, Pipeline};

/// Triggers on a page of a list.
const PAGE: &str = "100";

/// The most pages of a list that are read: no pipeline has so many triggers.
const MOST_PAGES: u64 = 50;

impl Client {
    /// Makes a trigger, once. `account` is the one this client is for.
    ///
    /// # Errors
    /// Where there is none afterwards, or may be.
    pub async fn create_trigger(
        &self,
        account: &Account,
        new: &NewTrigger<'_>,
    ) -> Result<Trigger, TriggerError> {
        let yaml = new.yaml().map_err(|error| TriggerError::NotSent(error.to_string()))?;
        let mut request = Request::new(Method::POST, triggers_url(account, new.pipeline));
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/yaml"));
        *request.body_mut() = Some(yaml.into());
        let reply = self.call(request).await?;
        self.read_reply(&reply, wire::trigger)
    }

    /// Every trigger of a pipeline.
    ///
    /// # Errors
    /// Where Harness does not tell.
    pub async fn list_triggers(
        &self,
        account: &Account,
        pipeline: &Pipeline,
    ) -> Result<Vec<Trigger>, TriggerError> {
        let mut triggers = Vec::new();
        for number in 0..MOST_PAGES {
            let mut url = triggers_url(account, pipeline);
            url.query_pairs_mut()
                .append_pair("page", &number.to_string())
                .append_pair("size", PAGE);
            let reply = self.call(Request::new(Method::GET, url)).await?;
            let page = self.read_reply(&reply, wire::page)?;
            triggers.extend(page.triggers);
            if number + 1 >= page.pages {
                break;
            }
        }
        Ok(triggers)
    }

    /// The trigger that an entry of the config names.
    ///
    /// # Errors
    /// Where there is none, or Harness does not tell.
    pub async fn look_up_trigger(&self, pipeline: &Pipeline) -> Result<Trigger, TriggerError> {
        let reply = self.call(self.inner.trigger_details(pipeline)).await?;
        self.read_reply(&reply, wire::trigger)
    }

    async fn call(&self, mut request: Request) -> Result<Reply, TriggerError> {
        let key = self.inner.secrets.key();
        if key.is_ok_and(|key| key.is_none()) {
            return Err(TriggerError::NoKey(self.inner.account_name.clone()));
        }
        self.inner.authorize(&mut request).map_err(TriggerError::NotSent)?;
        let sent = self.inner.send(request, Stopwatch::start()).await;
        sent.map(|(reply, _)| reply).map_err(TriggerError::NoAnswer)
    }

    fn read_reply<T>(
        &self,
        reply: &Reply,
        read: fn(&[u8]) -> Result<T, TriggerError>,
    ) -> Result<T, TriggerError> {
        let secrets = &self.inner.secrets;
        match (reply.status, &reply.body) {
            (200..300, Body::Whole(body)) => read(body).map_err(|error| error.cleaned(secrets)),
            (300..500, _) => Err(TriggerError::Refused(reply.told(secrets))),
            _ => Err(TriggerError::NoAnswer(reply.told(secrets))),
        }
    }
}
