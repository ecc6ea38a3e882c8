-- Objects of the database and the server outside Harmonia's schemas that no setup needs, one line each.
WITH harmonia_schema AS (SELECT oid FROM pg_namespace WHERE nspname = ANY(%(schemas)s)),
other_schema AS (
  SELECT oid, nspname FROM pg_namespace
  WHERE oid NOT IN (SELECT oid FROM harmonia_schema) AND nspname NOT LIKE 'pg\_temp\_%%' AND nspname NOT LIKE 'pg\_toast%%'
),
extension_member AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
powerful AS (
  SELECT rolname, oid FROM pg_roles
  WHERE oid <> 10 AND rolname <> ALL(%(administrators)s)
    AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)
),
member AS (
  SELECT m.member::regrole::text AS member, m.roleid::regrole::text AS role, m.admin_option, r.rolcanlogin
  FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
  WHERE NOT r.rolsuper AND r.rolname <> ALL(%(administrators)s) AND r.rolname NOT LIKE 'pg\_%%'
)
SELECT 'schema ' || nspname || ' is not of Harmonia' FROM other_schema
  WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'public', 'pg_toast') AND (oid >= 16384)
UNION ALL SELECT format('%%s %%I.%%I is not of Harmonia', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'r' THEN 'table' ELSE 'relation' END,
    e.nspname, c.relname)
  FROM pg_class c JOIN other_schema e ON e.oid = c.relnamespace
  WHERE c.oid >= 16384 AND c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S') AND ('pg_class'::regclass, c.oid) NOT IN (SELECT * FROM extension_member)
UNION ALL SELECT format('function %%I.%%I is not of Harmonia', e.nspname, p.proname) FROM pg_proc p JOIN other_schema e ON e.oid = p.pronamespace
  WHERE p.oid >= 16384 AND ('pg_proc'::regclass, p.oid) NOT IN (SELECT * FROM extension_member)
UNION ALL SELECT format('operator %%s is not of Harmonia', o.oid::regoperator) FROM pg_operator o
  WHERE o.oid >= 16384 AND ('pg_operator'::regclass, o.oid) NOT IN (SELECT * FROM extension_member)
UNION ALL SELECT format('cast from %%s to %%s is not of Harmonia', c.castsource::regtype, c.casttarget::regtype) FROM pg_cast c
  WHERE c.oid >= 16384 AND ('pg_cast'::regclass, c.oid) NOT IN (SELECT * FROM extension_member)
UNION ALL SELECT format('event trigger %%I acts on this database', evtname) FROM pg_event_trigger
UNION ALL SELECT format('publication %%I sends rows elsewhere', pubname) FROM pg_publication
UNION ALL SELECT format('subscription %%I writes rows from elsewhere', subname) FROM pg_subscription
  WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL SELECT format('foreign server %%I leads elsewhere', srvname) FROM pg_foreign_server
UNION ALL SELECT format('foreign data wrapper %%I leads elsewhere', fdwname) FROM pg_foreign_data_wrapper
UNION ALL SELECT format('extension %%I is not needed', extname) FROM pg_extension WHERE extname <> 'plpgsql'
UNION ALL SELECT format('language %%I is not needed', lanname) FROM pg_language WHERE oid >= 16384 AND lanname <> 'plpgsql'
UNION ALL SELECT format('%%s large objects exist in this database', count(*)) FROM pg_largeobject_metadata HAVING count(*) > 0
UNION ALL SELECT format('default privileges of %%s give to others%%s', d.defaclrole::regrole, coalesce(' in schema ' || d.defaclnamespace::regnamespace, ''))
  FROM (SELECT defaclrole, nullif(defaclnamespace, 0) AS defaclnamespace FROM pg_default_acl) d
UNION ALL SELECT format('%%s has %%s on database %%I', CASE a.grantee WHEN 0 THEN 'everybody' ELSE a.grantee::regrole::text END,
    a.privilege_type, d.datname) FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) a
  WHERE d.datname = current_database() AND a.grantee <> d.datdba
    AND (a.privilege_type = 'CREATE' OR a.is_grantable OR a.privilege_type = 'TEMPORARY' AND a.grantee <> 0)
UNION ALL SELECT format('%%s has %%s on schema %%I', CASE a.grantee WHEN 0 THEN 'everybody' ELSE a.grantee::regrole::text END, a.privilege_type, n.nspname)
  FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a
  WHERE n.nspname = 'public' AND a.grantee <> n.nspowner AND a.privilege_type = 'CREATE'
UNION ALL SELECT DISTINCT format('%%s has %%s on %%s of the system', CASE a.grantee WHEN 0 THEN 'everybody' ELSE a.grantee::regrole::text END,
    a.privilege_type, x.name)
  FROM (
    SELECT 'pg_class'::regclass AS classid, oid, 0 AS sub, oid::regclass::text AS name, relacl AS acl FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relacl IS NOT NULL
    UNION ALL SELECT 'pg_class'::regclass, attrelid, attnum, attrelid::regclass || '.' || attname, attacl FROM pg_attribute
      WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace) AND attacl IS NOT NULL
    UNION ALL SELECT 'pg_proc'::regclass, oid, 0, oid::regprocedure::text, proacl FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proacl IS NOT NULL
  ) x CROSS JOIN LATERAL aclexplode(x.acl) a
  WHERE NOT EXISTS (
    SELECT FROM pg_init_privs i CROSS JOIN LATERAL aclexplode(i.initprivs) b
    WHERE i.classoid = x.classid AND i.objoid = x.oid AND i.objsubid = x.sub
      AND (b.grantee, b.privilege_type, b.is_grantable) = (a.grantee, a.privilege_type, a.is_grantable)
  ) AND a.grantee <> 10 AND NOT (a.grantee = 0 AND a.privilege_type = 'EXECUTE' AND x.classid = 'pg_proc'::regclass
    AND NOT EXISTS (SELECT FROM pg_init_privs i WHERE i.classoid = x.classid AND i.objoid = x.oid))
UNION ALL SELECT format('%%s may set the parameter %%s', CASE a.grantee WHEN 0 THEN 'everybody' ELSE a.grantee::regrole::text END, p.parname)
  FROM pg_parameter_acl p CROSS JOIN LATERAL aclexplode(p.paracl) a WHERE a.grantee <> 10
UNION ALL SELECT format('setting %%s is made for %%s', split_part(setting, '=', 1),
    concat_ws(' in ', nullif(s.setrole, 0)::regrole::text, 'database ' || (SELECT datname FROM pg_database WHERE oid = s.setdatabase)))
  FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) setting
  WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    AND NOT (s.setrole <> 0 AND split_part(setting, '=', 1) IN ('search_path', 'default_transaction_isolation'))
UNION ALL SELECT format('role %%s %%s', p.rolname, concat_ws(', ', CASE WHEN r.rolsuper THEN 'is a superuser' END,
    CASE WHEN r.rolbypassrls THEN 'bypasses row security' END, CASE WHEN r.rolcreaterole THEN 'may create roles' END,
    CASE WHEN r.rolcreatedb THEN 'may make databases' END, CASE WHEN r.rolreplication THEN 'may copy the server' END))
  FROM powerful p JOIN pg_roles r ON r.oid = p.oid
UNION ALL SELECT format('role %%s may log in, and should not', rolname) FROM pg_roles WHERE rolname = ANY(%(roles)s) AND rolcanlogin
UNION ALL SELECT format('role %%s is a member of %%s, and should be of none', member, role) FROM member WHERE member = ANY(%(roles)s)
UNION ALL SELECT format('%%s is a member of %%s, and has its powers over the server', member, role) FROM member WHERE role LIKE 'pg\_%%'
UNION ALL SELECT format('%%s is a member of %%s, who owns the tables', member, role) FROM member
  WHERE role = (SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database())
UNION ALL SELECT format('%%s may give role %%s to others', member, role) FROM member WHERE role = ANY(%(roles)s) AND admin_option
UNION ALL SELECT format('%%s is a group and a member of %%s: give the role to logins', member, role) FROM member
  WHERE role = ANY(%(roles)s) AND NOT rolcanlogin AND member <> ALL(%(roles)s)
UNION ALL SELECT format('login %%s has several roles: %%s', member, string_agg(role, ', ' ORDER BY role)) FROM member
  WHERE role = ANY(%(roles)s) AND rolcanlogin GROUP BY member HAVING count(*) > 1
UNION ALL SELECT DISTINCT format('the planner keeps statistics on %%I.%%I.%%I, a record key under row security', schemaname, tablename, attname)
  FROM pg_stats WHERE (schemaname || '.' || tablename || '.' || attname) = ANY(%(keys)s)
