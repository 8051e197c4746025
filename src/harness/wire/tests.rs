use super::*;

fn event(id: &str) -> TriggerReply {
    TriggerReply::Event(EventId::new(id).unwrap())
}

fn refused(message: &str) -> TriggerReply {
    TriggerReply::Refused(message.to_owned())
}

fn details(body: &str) -> Result<EventDetails, String> {
    event_details(body.as_bytes(), &Secrets::open(None).unwrap())
}

/// A good answer with these fields of `webhookProcessingDetails` and this `executionDetails`.
fn details_of(processing: &str, execution: &str) -> Result<EventDetails, String> {
    details(&format!(
        r#"{{"status":"SUCCESS","data":{{"webhookProcessingDetails":{{{processing}}},
            "executionDetails":{execution}}},"metaData":null,"correlationId":"c"}}"#
    ))
}

fn summary_of(fields: &str) -> Summary {
    let execution = format!(r#"{{"pipelineExecutionSummary":{{{fields}}}}}"#);
    details_of(r#""status":"TARGET_EXECUTION_REQUESTED""#, &execution).unwrap().summary.unwrap()
}

const SEED_TRIGGER: &str = r#"{ "status":"SUCCESS", "data":"62e2f35160958b611e494564", "metaData":null, "correlationId":"b452749f-9cb7-484a-a755-ec494dae6071"}"#;

/// As Harness' document prints it: parts left out, and a comma missing after `moduleInfo`.
const SEED_DETAILS: &str = r#"{
"status": "SUCCESS",
"data": {
"webhookProcessingDetails": {
"eventFound": true,
"eventId": "62eb058f11d58d120e940a5d",
"accountIdentifier": "XXXXXXXX",
"orgIdentifier": "XXXX",
"projectIdentifier": "XXXXXXX",
"triggerIdentifier": "XXXXX",
"pipelineIdentifier": "XXXX",
"pipelineExecutionId": "BOvtFC6xRReaPeJiOj2yvA",
"exceptionOccured": false,
"status": "TARGET_EXECUTION_REQUESTED",
"message": "Pipeline execution was requested successfully",
"payload": "{}",
"eventCreatedAt": 1659569558794,
"runtimeInput": "pipeline: {}\n"
},
"executionDetails": {
"pipelineExecutionSummary": {
"pipelineIdentifier": "test",
"planExecutionId": "BOvtFC6xRReaPeJiOj2yvA",
"name": "test",
"status": "Expired",
"tags": [],
"executionTriggerInfo": { ... },
"governanceMetadata": { ... },
"moduleInfo": { ... }
"layoutNodeMap": { ... },
"modules": ["pms"],
"startingNodeId": "Usu77wypQum1gB2hdur-8A",
"startTs": 1659569558476,
"endTs": 1659655962522,
"createdAt": 1659569558663,
"canRetry": true,
"showRetryHistory": false,
"runSequence": 9,
"successfulStagesCount": 0,
"runningStagesCount": 0,
"failedStagesCount": 0,
"totalStagesCount": 1,
"executionInputConfigured": false,
"allowStageExecutions": false,
"stagesExecution": false
}
}
},
"metaData": null,
"correlationId": "c793026a-a152-4377-ba97-b10d12f0df5d"
}"#;

#[test]
fn the_documents_own_answers_are_understood() {
    let reply = trigger_reply(SEED_TRIGGER.as_bytes(), &Secrets::open(None).unwrap());
    assert_eq!(reply, Ok(event("62e2f35160958b611e494564")));

    let body = SEED_DETAILS.replace("{ ... }\n", "{},\n").replace("{ ... }", "{}");
    let execution = Some(ExecutionId::new("BOvtFC6xRReaPeJiOj2yvA").unwrap());
    let expected = EventDetails {
        found: true,
        status: "TARGET_EXECUTION_REQUESTED".to_owned(),
        execution: execution.clone(),
        message: Some("Pipeline execution was requested successfully".to_owned()),
        summary: Some(Summary {
            execution,
            status: "Expired".to_owned(),
            start: Some(Wall(1_659_569_558_476)),
            end: Some(Wall(1_659_655_962_522)),
            number: Some(9),
            successful_stages: Some(0),
            running_stages: Some(0),
            failed_stages: Some(0),
            total_stages: Some(1),
            starting_nodes: vec!["Usu77wypQum1gB2hdur-8A".to_owned()],
            ..Summary::default()
        }),
        target: Some(Target {
            org: "XXXX".to_owned(),
            project: "XXXXXXX".to_owned(),
            pipeline: "XXXX".to_owned(),
            trigger: "XXXXX".to_owned(),
        }),
    };
    assert_eq!(details(&body), Ok(expected));
}

#[test]
fn an_answer_to_a_webhook_is_read_whatever_its_version() {
    let table = [
        (r#"{"status":"SUCCESS","data":"e1"}"#, Ok(event("e1"))),
        (r#"{"status":"success","data":"e1","more":[{}]}"#, Ok(event("e1"))),
        (
            r#"{"status":"SUCCESS","data":{"eventCorrelationId":"e2","apiUrl":"https://x.invalid/",
            "uiUrl":null,"uiSetupUrl":7},"metaData":null,"correlationId":null}"#,
            Ok(event("e2")),
        ),
        (r#"{"status":"SUCCESS","data":"Unrecognized Webhook"}"#, Ok(refused(UNRECOGNIZED))),
        (
            r#"{"status":"SUCCESS","data":{"eventCorrelationId":"Unrecognized Webhook"}}"#,
            Ok(refused(UNRECOGNIZED)),
        ),
        (
            r#"{"status":"FAILED","data":{"eventCorrelationId":"e3"},"message":null}"#,
            Ok(refused("FAILED")),
        ),
        (r#"{"status":"ERROR","message":"no","data":null}"#, Ok(refused("ERROR: no"))),
        (r#"{"status":"SUCCESS"}"#, Err("no event id: the id is empty")),
        (r#"{"status":"SUCCESS","data":null}"#, Err("no event id: the id is empty")),
        (r#"{"status":"SUCCESS","data":""}"#, Err("no event id: the id is empty")),
        (r#"{"status":"SUCCESS","data":7}"#, Err("no event id: the id is empty")),
        (r#"{"status":"SUCCESS","data":{}}"#, Err("no event id: the id is empty")),
        (r#"{"status":"SUCCESS","data":["e1"]}"#, Err("no event id: the id is empty")),
        (
            r#"{"status":"SUCCESS","data":"../up"}"#,
            Err("no event id: the id holds a character that no id of Harness has"),
        ),
        (r#"{"data":"e1"}"#, Err("it has no status")),
        (r#"{"status":1,"data":"e1"}"#, Err("it has no status")),
        (r#""SUCCESS""#, Err("not a JSON object")),
        (r#"["SUCCESS", "e1"]"#, Err("not a JSON object")),
        ("null", Err("not a JSON object")),
        ("<html>Log in</html>", Err("a page instead of JSON")),
    ];
    for (body, expected) in table {
        assert_eq!(
            trigger_reply(body.as_bytes(), &Secrets::open(None).unwrap()),
            expected.map_err(str::to_owned),
            "{body}"
        );
    }
    let long = format!(r#"{{"status":"SUCCESS","data":"{}"}}"#, "a".repeat(1_000_000));
    let expected = Err("no event id: the id is longer than 128 characters".to_owned());
    assert_eq!(trigger_reply(long.as_bytes(), &Secrets::open(None).unwrap()), expected);
}

#[test]
fn what_is_cut_or_no_text_is_an_error() {
    let whole = r#"{"status":"SUCCESS","data":{"eventCorrelationId":"e1"}}"#;
    for end in 0..whole.len() {
        let error =
            trigger_reply(&whole.as_bytes()[..end], &Secrets::open(None).unwrap()).unwrap_err();
        assert!(error.starts_with("not JSON: "), "{end}: {error}");
    }
    let deep = "[".repeat(100_000);
    let nested = format!(r#"{{"status":"SUCCESS","data":{}"#, "{\"a\":".repeat(100_000));
    for body in ["OK", "{} {}", "\0", &deep, &nested] {
        assert!(trigger_reply(body.as_bytes(), &Secrets::open(None).unwrap()).is_err());
        assert!(details(body).is_err());
    }
}

#[test]
fn deep_nesting_in_what_is_not_used_is_passed_over() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!(r#"{{"status":"SUCCESS","metaData":{deep},"data":"e1"}}"#);
    assert_eq!(trigger_reply(body.as_bytes(), &Secrets::open(None).unwrap()), Ok(event("e1")));
    assert_eq!(summary_of(&format!(r#""moduleInfo":{deep},"status":"Running""#)).status, "Running");
}

#[test]
fn bad_utf8_and_nul_do_not_cost_the_answer() {
    let body =
        b"{\"status\":\"SUCCESS\",\"data\":{\"webhookProcessingDetails\":{\"status\":\"QUEUED\",
        \"payload\":\"\xff\xfe\",\"message\":\"a\xffb\\u0000c\"}}}";
    let details = event_details(body, &Secrets::open(None).unwrap()).unwrap();
    assert_eq!(details.status, "QUEUED");
    assert_eq!(details.message.as_deref(), Some("a\u{fffd}b\\u{0}c"));
}

#[test]
fn an_event_is_read_in_every_state() {
    let read = |processing| details_of(processing, "null").unwrap();
    let queued =
        read(r#""eventFound":true,"status":"QUEUED","pipelineExecutionId":null,"message":null"#);
    let expected =
        EventDetails { found: true, status: "QUEUED".to_owned(), ..EventDetails::default() };
    assert_eq!(queued, expected);
    assert!(!read(r#""eventFound":false,"status":null"#).found);
    assert!(!read(r#""eventFound":"false""#).found);
    assert!(read(r#""eventFound":null"#).found);
    assert_eq!(read("").status, "");
    assert_eq!(read(r#""pipelineExecutionId":"""#).execution, None);
    assert_eq!(read(r#""pipelineExecutionId":[]"#).execution, None);
    let failed = read(
        r#""status":"INVALID_RUNTIME_INPUT_YAML","exceptionOccured":true,
        "message":"Failed while requesting:\n/custom/abc/v3 and pat.acme.id.s3cret""#,
    );
    let message = failed.message.unwrap();
    assert_eq!(message, "Failed while requesting:\\n/custom/[redacted]/v3 and [redacted]");
}

#[test]
fn an_event_without_its_essentials_is_an_error() {
    let table = [
        (r#"{"status":"SUCCESS","data":null}"#, "it has no data"),
        (r#"{"status":"SUCCESS"}"#, "it has no data"),
        (r#"{"status":"SUCCESS","data":"e1"}"#, "it has no data"),
        (r#"{"status":"SUCCESS","data":{}}"#, "it has no webhookProcessingDetails"),
        (r#"{"status":"ERROR","message":"no","data":null}"#, "ERROR: no"),
        (r#"{"data":{"webhookProcessingDetails":{}}}"#, "it has no status"),
        ("<!DOCTYPE html>", "a page instead of JSON"),
    ];
    for (body, expected) in table {
        assert_eq!(details(body), Err(expected.to_owned()), "{body}");
    }
    for id in ["a/b", "..", &"a".repeat(129)] {
        let error = details_of(&format!(r#""pipelineExecutionId":"{id}""#), "null").unwrap_err();
        assert!(error.starts_with("no usable pipelineExecutionId: "), "{error}");
    }
}

#[test]
fn an_execution_may_have_no_summary() {
    for execution in ["null", "{}", "[]", "7", r#"{"pipelineExecutionSummary":null}"#] {
        let read = details_of(r#""pipelineExecutionId":"x1""#, execution).unwrap();
        assert_eq!(read.summary, None, "{execution}");
        assert_eq!(read.execution.unwrap().as_str(), "x1");
    }
    assert_eq!(summary_of(""), Summary::default());
}

#[test]
fn wrong_types_never_cost_the_rest_of_a_summary() {
    let wrong =
        ["null", "true", "-1", "1e300", "18446744073709551615", "\"x\"", "[[]]", "{\"a\":[]}"];
    for value in wrong {
        let summary = summary_of(&format!(
            r#""planExecutionId":{value},"startTs":{value},"endTs":{value},"runSequence":{value},
            "successfulStagesCount":{value},"failedStagesCount":{value},"startingNodeId":{value},
            "startingNodeIds":{value},"layoutNodeMap":{value},"failureInfo":{value},
            "executionErrorInfo":{value},"status":"Running","totalStagesCount":"3""#
        ));
        let known = (summary.status.as_str(), summary.total_stages, summary.start, summary.number);
        assert_eq!(known, ("Running", Some(3), None, None), "{value}");
    }
    let summary = summary_of(
        r#""startTs":"1659569558476","endTs":1659655962522.9,"runSequence":9.0,
        "totalStagesCount":4294967296,"failedStagesCount":-1,"runningStagesCount":0"#,
    );
    assert_eq!(summary.start, Some(Wall(1_659_569_558_476)));
    assert_eq!(summary.end, Some(Wall(1_659_655_962_522)));
    let counts = (summary.number, summary.total_stages, summary.failed_stages);
    assert_eq!(counts, (Some(9), Some(4_294_967_296), None));
    assert_eq!(summary_of(r#""startTs":0,"endTs":-5"#), Summary::default());
}

#[test]
fn the_stage_map_is_read() {
    let summary = summary_of(
        r#""status":"Failed","startingNodeId":"n1","startingNodeIds":["n1","n2"],
        "layoutNodeMap":{
          "n1":{"nodeType":"Custom","nodeGroup":"STAGE","nodeIdentifier":"build","name":"Build it",
            "nodeUuid":"n1","status":"Success","module":"pms","moduleInfo":{"pms":{}},
            "startTs":1700000000000,"endTs":1700000005000,
            "edgeLayoutList":{"currentNodeChildren":[],"nextIds":["n2"]},"failureInfo":{"message":""}},
          "n2":{"nodeType":"parallel","nodeIdentifier":"parallel-n2","status":"NotStarted",
            "edgeLayoutList":{"currentNodeChildren":["n3",7],"nextIds":null}},
          "n3":{"nodeType":"CI","nodeIdentifier":"test","status":"Failed","edgeLayoutList":null},
          "n4":null,"n5":"odd"},
        "failureInfo":{"message":"Shell script failed","failureTypeList":["APPLICATION_ERROR","NEW"],
          "responseMessages":[{}]},"executionErrorInfo":{"message":"older"}"#,
    );
    let text = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    assert_eq!(summary.starting_nodes, text(&["n1", "n2"]));
    assert_eq!(summary.failure_types, text(&["APPLICATION_ERROR", "NEW"]));
    assert_eq!(summary.message.as_deref(), Some("Shell script failed"));
    assert_eq!(summary.layout.len(), 3);
    let build = LayoutNode {
        kind: "Custom".to_owned(),
        identifier: "build".to_owned(),
        status: "Success".to_owned(),
        start: Some(Wall(1_700_000_000_000)),
        end: Some(Wall(1_700_000_005_000)),
        next: text(&["n2"]),
        children: text(&[]),
    };
    assert_eq!(summary.layout["n1"], build);
    assert_eq!(summary.layout["n2"].children, text(&["n3", ""]));
    assert_eq!(summary.layout["n3"].status, "Failed");

    let older =
        summary_of(r#""failureInfo":{"message":""},"executionErrorInfo":{"message":"older"}"#);
    assert_eq!(older.message.as_deref(), Some("older"));
}

#[test]
fn refusals_of_every_shape_tell_code_and_message() {
    let table = [
        (
            r#"{"status":"ERROR","code":"INVALID_REQUEST","message":"Invalid request: x",
            "correlationId":"c","detailedMessage":null,"responseMessages":[{"code":"INVALID_REQUEST",
            "level":"ERROR","message":"Invalid request: x","exception":null,"failureTypes":[]}],
            "metadata":null}"#,
            "INVALID_REQUEST",
            "Invalid request: x",
        ),
        (
            r#"{"status":"FAILURE","code":"RESOURCE_NOT_FOUND_EXCEPTION","message":"HTTP 404 Not Found",
            "correlationId":"c","errors":null}"#,
            "RESOURCE_NOT_FOUND_EXCEPTION",
            "HTTP 404 Not Found",
        ),
        (
            r#"{"status":"ERROR","code":"NG_ACCESS_DENIED","message":"Missing permission",
            "correlationId":null,"responseMessages":null,"failedPermissionChecks":[{}]}"#,
            "NG_ACCESS_DENIED",
            "Missing permission",
        ),
        (r#"{"code":7,"message":null}"#, "", ""),
        ("[1]", "", ""),
        ("<html>blocked</html>", "", ""),
        (r#"{"code":"#, "", ""),
        (" upstream connect error\n", "", "upstream connect error"),
        ("", "", ""),
    ];
    for (body, code, message) in table {
        let expected = Refusal { code: code.to_owned(), message: message.to_owned() };
        assert_eq!(Refusal::read(body.as_bytes()), expected, "{body}");
    }
}

/// A stage's identifier becomes a label and a status may be logged.
#[test]
fn fault_45_no_secret_in_what_becomes_a_label() {
    let body = r#"{"status":"SUCCESS","data":{
        "webhookProcessingDetails":{"status":"sat.acme.id.Zz9","pipelineExecutionId":"x1"},
        "executionDetails":{"pipelineExecutionSummary":{"status":"sat.acme.id.Zz9",
            "layoutNodeMap":{"n":{"nodeIdentifier":"a-sat.acme.id.Zz9","status":"Failed"}}}}}}"#;
    let details = details(body).unwrap();
    let said = format!("{details:?}");
    assert!(said.contains("[redacted]") && !said.contains("Zz9"), "{said}");
}

#[test]
fn fault_45_an_id_with_a_secret_in_it_is_none() {
    let body = r#"{"status":"SUCCESS","data":"sat.acme.id.Zz9"}"#;
    let error = trigger_reply(body.as_bytes(), &Secrets::open(None).unwrap()).unwrap_err();
    assert_eq!(error, "no event id: the id holds a character that no id of Harness has");
}
