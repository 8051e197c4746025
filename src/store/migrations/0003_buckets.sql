-- The upper bounds by which the cells of a histogram in `totals` were counted, in milliseconds. Cells of
-- other bounds do not add up with them: where others are wanted, all cells of the family go with these.
create table bucket_bounds (
    family text not null,
    bound bigint not null,
    primary key (family, bound)
);

-- Until now there were no others.
insert into bucket_bounds (family, bound) values
    ('run_duration', 1000), ('run_duration', 5000), ('run_duration', 15000),
    ('run_duration', 30000), ('run_duration', 60000), ('run_duration', 120000),
    ('run_duration', 300000), ('run_duration', 600000), ('run_duration', 1200000),
    ('run_duration', 1800000), ('run_duration', 3600000), ('run_duration', 7200000),
    ('run_duration', 14400000), ('run_duration', 43200000), ('run_duration', 90000000);
