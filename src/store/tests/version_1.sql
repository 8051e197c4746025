-- What version 1 wrote of the history of `fill`, on the schema of the first migration alone.

insert into runs values ('nightly-2025-11-24T16:00:00Z-1','nightly',1764000000000,1,'ended',1764000000000,'exec-0',1764000001500,1764000060000,1764000060000,1,'{"id":"nightly-2025-11-24T16:00:00Z-1","pipeline":"nightly","account":"default","origin":"schedule","due":1764000000000,"attempt":1,"payload":"{\"quote\":\"''\\\" 🦀\"}","phase":"ended","begun":1764000000000,"sent":1764000000000,"accepted":1764000000200,"event":"00aa00aa00aa00aa00aa00aa","execution":"exec-0","outcome":"started","reason":null,"resolved":1764000001500,"processing":1500,"status":"failed","result":"timeout","state_since":1764000000000,"start":1764000001000,"end":1764000060000,"duration":59000,"queue":800,"number":7,"reported":{"successful":1,"running":1,"failed":0,"total":3},"stages":[{"id":"build","status":"success","duration":9}],"failure_types":["timeout_error"],"message":"it''s\nso","unknown_status":true,"unknown_trigger_status":false,"ended":1764000060000}');
insert into runs values ('nightly-2025-11-24T16:15:00Z-1','nightly',1764000900000,1,'ended',1764000900000,NULL,1764000930000,NULL,1764000930000,1,'{"id":"nightly-2025-11-24T16:15:00Z-1","pipeline":"nightly","account":"default","origin":"schedule","due":1764000900000,"attempt":1,"phase":"ended","begun":1764000900000,"sent":null,"accepted":null,"event":null,"execution":null,"outcome":"failed","reason":"start_refused","resolved":1764000930000,"processing":null,"status":null,"result":null,"state_since":1764000900000,"start":null,"end":null,"duration":null,"queue":null,"number":null,"reported":null,"stages":[],"failure_types":[],"unknown_status":false,"unknown_trigger_status":false,"ended":1764000930000}');
insert into runs values ('nightly-2025-11-24T16:30:00Z-1','nightly',1764001800000,1,'executing',1764001800000,'exec-30',1764001801500,NULL,NULL,NULL,'{"id":"nightly-2025-11-24T16:30:00Z-1","pipeline":"nightly","account":"default","origin":"schedule","due":1764001800000,"attempt":1,"payload":"{\"quote\":\"''\\\" 🦀\"}","phase":"executing","begun":1764001800000,"sent":1764001800000,"accepted":1764001800200,"event":"00aa00aa00aa00aa00aa00aa","execution":"exec-30","outcome":"started","reason":null,"resolved":1764001801500,"processing":1500,"status":"running","result":null,"state_since":1764001800000,"start":1764001801000,"end":null,"duration":null,"queue":800,"number":7,"reported":{"successful":1,"running":1,"failed":0,"total":3},"stages":[{"id":"build","status":"success","duration":9}],"failure_types":[],"message":"it''s\nso","unknown_status":true,"unknown_trigger_status":false,"ended":null}');
insert into pipelines values ('nightly','every 900000ms spread',1,1764002700000,'[]');
insert into totals values ('pipeline','nightly','triggers','schedule',3);
insert into totals values ('pipeline','nightly','consecutive_trigger_failures','',0);
insert into totals values ('account','default','trigger_processing','2000',2);
insert into totals values ('account','default','trigger_processing','sum',3000);
insert into totals values ('pipeline','nightly','runs','timeout',1);
insert into totals values ('pipeline','nightly','last_result','timeout',1764000060000);
insert into totals values ('pipeline','nightly','consecutive_failures','',1);
insert into totals values ('pipeline','nightly','slots','failed',1);
insert into totals values ('pipeline','nightly','run_duration','timeout|60000',1);
insert into totals values ('pipeline','nightly','run_duration','timeout|sum',59000);
insert into totals values ('account','default','run_queue','1000',1);
insert into totals values ('account','default','run_queue','sum',800);
insert into totals values ('pipeline','nightly','trigger_failures','start_refused',1);
insert into totals values ('pipeline','nightly','slots','trigger_failed',1);
insert into totals values ('pipeline','nightly','schedules_missed','late',3);
insert into totals values ('pipeline','nightly','slots','missed',3);
