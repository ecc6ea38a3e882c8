-- Structure of the schemas: kind and name of an object, and one of its properties, a row each.
WITH harmonia_schema AS (SELECT oid, nspname, nspowner FROM pg_namespace WHERE nspname = ANY(%(schemas)s)),
relation AS (SELECT c.*, format('%%I.%%I', s.nspname, c.relname) AS name FROM pg_class c JOIN harmonia_schema s ON s.oid = c.relnamespace)
SELECT 'schema', nspname::text, 'owner ' || nspowner::regrole FROM harmonia_schema
UNION ALL SELECT CASE relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 'm' THEN 'materialised view'
    ELSE 'relation of kind ' || relkind::text END, name, unnest(ARRAY[
    'owner ' || relowner::regrole, 'persistence ' || relpersistence::text, 'options ' || coalesce(options.options, 'none'),
    'row security ' || relrowsecurity || ', forced ' || relforcerowsecurity,
    'definition ' || CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid) WHEN relkind = 'i' THEN pg_get_indexdef(oid) ELSE 'by columns' END])
  FROM relation LEFT JOIN LATERAL (SELECT string_agg(option, ', ' ORDER BY option) AS options FROM unnest(reloptions) option) options ON true
UNION ALL SELECT 'column', r.name || '.' || quote_ident(a.attname), concat_ws(', ', format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attnotnull THEN 'not null' END, 'identity ' || nullif(a.attidentity::text, ''), 'generated ' || nullif(a.attgenerated::text, ''),
    'default ' || pg_get_expr(d.adbin, d.adrelid), 'statistics ' || nullif(a.attstattarget::int, -1), 'options ' || (SELECT string_agg(option, ', ' ORDER BY option) FROM unnest(a.attoptions) option WHERE option LIKE 'n\_distinct%%'))
  FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attnum > 0 AND NOT a.attisdropped AND r.relkind NOT IN ('i', 'S', 't')
UNION ALL SELECT 'constraint', r.name || '.' || quote_ident(c.conname), pg_get_constraintdef(c.oid)
  FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid
UNION ALL SELECT 'trigger', r.name || '.' || quote_ident(t.tgname), pg_get_triggerdef(t.oid) || ', enabled ' || t.tgenabled::text
  FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL SELECT 'rule', r.name || '.' || quote_ident(w.rulename), CASE WHEN w.rulename = '_RETURN' THEN 'the view' ELSE pg_get_ruledef(w.oid) END
    || ', enabled ' || w.ev_enabled::text
  FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class
UNION ALL SELECT 'row policy', r.name || '.' || quote_ident(p.polname), concat_ws(', ', 'for ' || p.polcmd::text,
    CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
    'to ' || (SELECT string_agg(CASE role WHEN 0 THEN 'public' ELSE role::regrole::text END, ' ' ORDER BY role) FROM unnest(p.polroles) role),
    'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid))
  FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
UNION ALL SELECT 'function', format('%%I.%%I(%%s)', s.nspname, p.proname, oidvectortypes(p.proargtypes)), unnest(ARRAY[
    'owner ' || p.proowner::regrole, 'definition ' || CASE WHEN p.prokind IN ('f', 'p') THEN pg_get_functiondef(p.oid) ELSE p.prokind::text END])
  FROM pg_proc p JOIN harmonia_schema s ON s.oid = p.pronamespace
UNION ALL SELECT 'extended statistics', format('%%I.%%I', x.stxnamespace::regnamespace, x.stxname), pg_get_statisticsobjdef(x.oid)
  FROM pg_statistic_ext x WHERE x.stxrelid IN (SELECT oid FROM relation) OR x.stxnamespace IN (SELECT oid FROM harmonia_schema)
UNION ALL SELECT 'child table', i.inhrelid::regclass::text, 'of ' || i.inhparent::regclass
  FROM pg_inherits i WHERE i.inhparent IN (SELECT oid FROM relation)
UNION ALL SELECT k.type, k.identity, 'in a schema of Harmonia'
  FROM pg_depend d CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, 0) k
  WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid IN (SELECT oid FROM harmonia_schema) AND d.deptype = 'n'
    AND d.classid NOT IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_statistic_ext'::regclass, 'pg_type'::regclass)
UNION ALL SELECT 'type', format_type(t.oid, NULL), 'owner ' || t.typowner::regrole
  FROM pg_type t JOIN harmonia_schema s ON s.oid = t.typnamespace
  WHERE t.typtype <> 'c' AND t.typelem = 0 OR t.typtype = 'c' AND (SELECT relkind FROM pg_class WHERE oid = t.typrelid) = 'c'
