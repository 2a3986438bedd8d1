WITH here AS (SELECT relnamespace AS oid FROM pg_class WHERE oid = to_regclass('_sqlx_migrations')),
of_extension AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
relation AS (
    SELECT c.* FROM pg_class c JOIN here ON here.oid = c.relnamespace
    WHERE NOT EXISTS (SELECT FROM of_extension e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid)
),
tables AS (SELECT * FROM relation WHERE relkind IN ('r', 'p'))
SELECT 'table' AS kind, relname::text AS of_table, relname::text AS name,
    concat_ws(' ', relkind, relpersistence, CASE WHEN relrowsecurity THEN 'row security' END,
        CASE WHEN relforcerowsecurity THEN 'forced' END) AS definition
FROM tables
UNION ALL
SELECT 'view', '', relname::text, relkind::text FROM relation WHERE relkind IN ('v', 'm', 'f')
UNION ALL
SELECT 'column', c.relname::text, a.attname::text,
    concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END, nullif(a.attidentity::text, ''),
        nullif(a.attgenerated::text, ''), l.collname, pg_get_expr(d.adbin, d.adrelid))
FROM tables c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    LEFT JOIN pg_collation l ON l.oid = a.attcollation AND l.collname <> 'default'
WHERE c.relname <> '_sqlx_migrations'
UNION ALL
SELECT 'constraint', c.relname::text, o.conname::text,
    concat_ws(' ', pg_get_constraintdef(o.oid, true), CASE WHEN NOT o.convalidated THEN 'not validated' END,
        (SELECT string_agg(DISTINCT t.tgenabled::text, '' ORDER BY t.tgenabled::text) FROM pg_trigger t WHERE t.tgconstraint = o.oid))
FROM tables c JOIN pg_constraint o ON o.conrelid = c.oid AND o.contype NOT IN ('n', 't')
UNION ALL
SELECT 'index', c.relname::text, i.relname::text,
    concat_ws(' ', pg_get_indexdef(x.indexrelid, 0, true), CASE WHEN NOT (x.indisvalid AND x.indisready AND x.indislive) THEN 'not valid' END)
FROM tables c JOIN pg_index x ON x.indrelid = c.oid JOIN pg_class i ON i.oid = x.indexrelid
UNION ALL
SELECT 'trigger', c.relname::text, t.tgname::text, concat_ws(' ', pg_get_triggerdef(t.oid, true), t.tgenabled)
FROM tables c JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal
UNION ALL
SELECT 'rule', c.relname::text, r.rulename::text, '' FROM tables c JOIN pg_rewrite r ON r.ev_class = c.oid
UNION ALL
SELECT 'policy', c.relname::text, p.polname::text, '' FROM tables c JOIN pg_policy p ON p.polrelid = c.oid
UNION ALL
SELECT 'child table', c.relname::text, k.relname::text, ''
FROM tables c JOIN pg_inherits h ON h.inhparent = c.oid JOIN pg_class k ON k.oid = h.inhrelid
UNION ALL
SELECT 'function', '', p.proname::text,
    concat_ws(' ', pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid), l.lanname, p.prokind, p.provolatile,
        CASE WHEN p.prosecdef THEN 'security definer' END, array_to_string(p.proconfig, ' '),
        encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex'))
FROM pg_proc p JOIN here ON here.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE NOT EXISTS (SELECT FROM of_extension e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid)
UNION ALL
SELECT 'operator', '', o.oprname::text, '' FROM pg_operator o JOIN here ON here.oid = o.oprnamespace
WHERE NOT EXISTS (SELECT FROM of_extension e WHERE e.classid = 'pg_operator'::regclass AND e.objid = o.oid)
UNION ALL
SELECT 'table in front', c.relname::text, c.relname::text, '' FROM tables c WHERE to_regclass(quote_ident(c.relname)) IS DISTINCT FROM c.oid
UNION ALL
SELECT 'function in front', '', p.proname::text, '' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.proname LIKE 'tsunagi\_%' AND n.nspname = ANY (current_schemas(false)) AND n.oid <> (SELECT oid FROM here)
ORDER BY 1, 2, 3, 4
