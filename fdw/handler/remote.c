/*-------------------------------------------------------------------------
 *
 * remote.c
 *		The worker as the host of Python: what is asked, and the answers.
 *
 *-------------------------------------------------------------------------
 */
#include "cloudtrail_fdw.h"

#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/executor.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "parser/parse_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#define STARTUP_COST	10		/* as Multicorn has it */

/* Where a plan of ours keeps what Multicorn's does not have. */
#define PRIVATE_KEY		0		/* list of the number of the key's column, if there is one */
#define PRIVATE_ORDER	1		/* NIL, or the column's name and whether it is descending */

/* An order that a table's rows can have; TablePlan.state is a list of these. */
typedef struct TableOrder
{
	AttrNumber	column;
	bool		descending;
} TableOrder;

/* In TableScan.state. */
typedef struct RemoteScan
{
	Oid			table;
	Oid			user;
	List	   *bounds;
	List	   *wanted;			/* names of columns */
	List	   *order;
	bool		keyed;			/* its only bound gives the key: it is read by look-ups */
	bool		begun;			/* the worker has it under this number */
	bool		done;			/* and has given all of its rows */
	uint32		number;
	uint32		generation;		/* of the worker */
} RemoteScan;


/* ------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------
 */

/* A value of a type as Python gets it. */
static void
put_value(Writer *writer, Oid type, Datum value)
{
	Oid			element = get_element_type(type);
	Oid			output;
	bool		varlena;
	int16		length;
	bool		byval;
	char		align;
	Datum	   *values;
	bool	   *nulls;
	int			count;

	if (OidIsValid(element))
	{
		get_typlenbyvalalign(element, &length, &byval, &align);
		deconstruct_array(DatumGetArrayTypeP(value), element, length, byval, align,
						  &values, &nulls, &count);
		ct_put_array(writer, count);
		for (int number = 0; number < count; number++)
		{
			if (nulls[number])
				ct_put_nil(writer);
			else
				put_value(writer, element, values[number]);
		}
	}
	else if (type == INT4OID)
		ct_put_int(writer, DatumGetInt32(value));
	else
	{
		getTypeOutputInfo(type, &output, &varlena);
		ct_put_string(writer, OidOutputFunctionCall(output, value));
	}
}

/* Bounds as quals; those without a value of their own have one in "params". */
static void
put_bounds(Writer *writer, Oid table, List *bounds, ParamListInfo params)
{
	ListCell   *cell;

	ct_put_array(writer, list_length(bounds));
	foreach(cell, bounds)
	{
		Bound	   *bound = lfirst(cell);

		ct_put_array(writer, 4);
		ct_put_string(writer, get_attname(table, bound->column->varattno, false));
		if (OidIsValid(bound->opno))
			ct_put_string(writer, get_opname(bound->opno));
		else
			ct_put_string(writer, bound->nulltest == IS_NULL ? "=" : "<>");
		if (bound->is_array)
			ct_put_bool(writer, bound->use_or);
		else
			ct_put_nil(writer);
		if (bound->param > 0)
			put_value(writer, bound->type, params->params[bound->param - 1].value);
		else if (bound->value)
			put_value(writer, bound->type, ((Const *) bound->value)->constvalue);
		else
			ct_put_nil(writer);
	}
}

static void
put_names(Writer *writer, List *names)
{
	ListCell   *cell;

	ct_put_array(writer, list_length(names));
	foreach(cell, names)
		ct_put_string(writer, lfirst(cell));
}

/* The session's settings that the worker wants to know. */
static void
put_settings(Writer *writer)
{
	ListCell   *cell;

	ct_put_array(writer, list_length(ct_worker_settings));
	foreach(cell, ct_worker_settings)
	{
		const char *value = GetConfigOption(lfirst(cell), true, false);

		ct_put_string(writer, value && *value ? value : NULL);	/* '' after a RESET */
	}
}

static void
put_order(Writer *writer, List *order)
{
	if (order == NIL)
	{
		ct_put_nil(writer);
		return;
	}
	ct_put_array(writer, 2);
	ct_put_string(writer, strVal(linitial(order)));
	ct_put_bool(writer, intVal(lsecond(order)) != 0);
}

/* Begin a frame that has a table, quals, wanted columns, settings, and "more" values. */
static size_t
put_request(Writer *draft, char type, uint32 number, int more, uint32 told, Oid table,
			List *bounds, ParamListInfo params, List *wanted)
{
	size_t		begin = ct_begin_frame(draft, type, number);

	ct_put_array(draft, 4 + more);
	ct_put_int(draft, told);
	put_bounds(draft, table, bounds, params);
	put_names(draft, wanted);
	put_settings(draft);
	return begin;
}

/* The names of wanted columns in a finished plan, without its marks. */
static List *
plan_columns(ForeignScan *plan)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, (List *) list_nth(plan->fdw_private, PRIVATE_COLUMNS))
	{
		char	   *name = strVal(lfirst(cell));

		if (strncmp(name, MARK_CHOICE, strlen(MARK_CHOICE)) != 0 &&
			strncmp(name, MARK_NULLABLE, strlen(MARK_NULLABLE)) != 0)
			names = lappend(names, name);
	}
	return names;
}


/* ------------------------------------------------------------------------
 * Answers.  Each value is looked at here: whatever is not as it should be
 * leads to ct_worker_rubbish.
 * ------------------------------------------------------------------------
 */

static uint32
answer_array(Reader *reader)
{
	uint32		length = 0;

	if (!ct_read_array(reader, &length))
		ct_worker_rubbish();
	return length;
}

/* A text in the server's encoding, NULL for nil. */
static char *
answer_text(Reader *reader)
{
	const char *text = NULL;
	uint32		length = 0;

	if (!ct_read_text(reader, &text, &length))
		ct_worker_rubbish();
	return text ? pg_any_to_server(pnstrdup(text, length), length, PG_UTF8) : NULL;
}

static char *
answer_name(Reader *reader)
{
	char	   *name = answer_text(reader);

	if (name == NULL)
		ct_worker_rubbish();
	return name;
}

static bool
answer_bool(Reader *reader)
{
	Packed		value;

	if (!ct_read_value(reader, &value) || value.kind != PACKED_BOOL)
		ct_worker_rubbish();
	return value.boolean;
}

static double
answer_number(Reader *reader)
{
	Packed		value;

	if (!ct_read_value(reader, &value) ||
		(value.kind != PACKED_INT && value.kind != PACKED_FLOAT))
		ct_worker_rubbish();
	return value.kind == PACKED_INT ? (double) value.integer : value.number;
}

/* Ask, and take the answer out of the worker's hands. */
static Reader
ask(Writer *draft, uint32 request, const char *table)
{
	if (ct_worker_ask(draft, request, table) != 'R')
		ct_worker_rubbish();
	return ct_worker_answer();
}

/* The answer to P. */
static void
read_size(RelOptInfo *rel, Oid table, Reader reader, Answer *answer)
{
	List	   *orders = NIL;
	uint32		count;
	char	   *key;
	double		rows,
				width;

	if (answer_array(&reader) != 5)
		ct_worker_rubbish();
	rows = answer_number(&reader);
	width = answer_number(&reader);
	if (!(rows >= 0 && rows < 1e18) || !(width >= 0 && width < 1e9))
		ct_worker_rubbish();
	rel->rows = Max((double) (int64) rows, 1);
	rel->reltarget->width = (int) width;
	key = answer_text(&reader);
	namestrcpy(&answer->key, key ? key : "");
	for (count = answer_array(&reader); count > 0; count--)
	{
		TableOrder *order = palloc(sizeof(TableOrder));

		if (answer_array(&reader) != 2)
			ct_worker_rubbish();
		order->column = get_attnum(table, answer_name(&reader));
		order->descending = answer_bool(&reader);
		orders = lappend(orders, order);
	}
	for (count = answer_array(&reader); count > 0; count--)
	{
		if (answer_array(&reader) != 2 || answer->nchoices == MOST_CHOICES)
			ct_worker_rubbish();
		namestrcpy(&answer->choices[answer->nchoices].column, answer_name(&reader));
		answer->choices[answer->nchoices++].nullable = answer_bool(&reader);
	}
	rel->fdw_private = orders;
}


/* ------------------------------------------------------------------------
 * Planning
 * ------------------------------------------------------------------------
 */

static void
remote_size(PlannerInfo *root UNUSED, RelOptInfo *rel, Oid table, List *bounds, List *wanted,
			Answer *answer)
{
	uint32		told = ct_table_number(table, GetUserId());
	uint32		request = ct_worker_number(FRAME_REQUEST);
	Writer	   *draft = ct_worker_draft();
	List	   *names = NIL;
	ListCell   *cell;
	size_t		begin;

	foreach(cell, wanted)
		names = lappend(names, get_attname(table, lfirst_int(cell), false));
	begin = put_request(draft, 'P', request, 0, told, table, bounds, NULL, names);
	ct_end_frame(draft, begin);
	read_size(rel, table, ask(draft, request, get_rel_name(table)), answer);
}

/* The order of the table's that a sort key asks for, by the usual operator of its type; or NULL. */
static TableOrder *
find_order(List *orders, RelOptInfo *rel, PathKey *key)
{
	ListCell   *cell,
			   *member;
#if PG_VERSION_NUM >= 180000
	bool		descending = key->pk_cmptype == COMPARE_GT;
#else
	bool		descending = key->pk_strategy == BTGreaterStrategyNumber;
#endif

	if (key->pk_eclass->ec_has_volatile)
		return NULL;
	foreach(member, key->pk_eclass->ec_members)
	{
		Var		   *column = (Var *) lfirst_node(EquivalenceMember, member)->em_expr;

		if (!IsA(column, Var) || (Index) column->varno != rel->relid ||
			get_opclass_family(GetDefaultOpClass(column->vartype, BTREE_AM_OID)) != key->pk_opfamily)
			continue;
		foreach(cell, orders)
		{
			TableOrder *order = lfirst(cell);

			if (order->column == column->varattno && order->descending == descending)
				return order;
		}
	}
	return NULL;
}

/* One path, and a sorted one where that is of use. */
static void
remote_paths(PlannerInfo *root, RelOptInfo *rel, Oid table)
{
	TablePlan  *plan = rel->fdw_private;
	PathKey    *key = root->query_pathkeys ? linitial(root->query_pathkeys) : NULL;
	TableOrder *order = key ? find_order(plan->state, rel, key) : NULL;
	Cost		total = STARTUP_COST + rel->rows * rel->reltarget->width;
	List	   *fdw_private;

	ct_add_path(root, rel, rel->rows, false, STARTUP_COST, total, NIL, NULL, NIL);
	if (order == NULL)
		return;
	fdw_private = list_make2(makeString(get_attname(table, order->column, false)),
							 makeInteger(order->descending));
	ct_add_path(root, rel, rel->rows, false, STARTUP_COST, total, list_make1(key), NULL, fdw_private);
}

static ForeignScan *
remote_plan(PlannerInfo *root UNUSED, RelOptInfo *rel, Oid table UNUSED, ForeignPath *path,
			List *tlist, Plan *outer_plan)
{
	TablePlan  *plan = rel->fdw_private;
	List	   *key = plan->key > 0 ? list_make1_int(plan->key) : NIL;

	return make_foreignscan(tlist, NIL, rel->relid, NIL,
							list_make4(key, path->fdw_private, NIL, NIL), NIL, NIL, outer_plan);
}


/* ------------------------------------------------------------------------
 * Scanning
 * ------------------------------------------------------------------------
 */

/* Whether these bounds give one value of the key and nothing else. */
static bool
only_key(List *bounds, List *key)
{
	Bound	   *bound = list_length(bounds) == 1 ? linitial(bounds) : NULL;

	return bound && key && bound->column->varattno == linitial_int(key) &&
		!bound->is_array && bound->type == TEXTOID && OidIsValid(bound->opno) &&
		strcmp(get_opname(bound->opno), "=") == 0;
}

static void
remote_begin(TableScan *scan, int eflags UNUSED, List *bounds)
{
	RemoteScan *remote = palloc0(sizeof(RemoteScan));
	ForeignScan *plan = (ForeignScan *) scan->node->ss.ps.plan;

	remote->table = RelationGetRelid(scan->node->ss.ss_currentRelation);
	remote->user = GetUserId(); /* behind a view, too: not its owner */
	remote->bounds = bounds;
	remote->wanted = plan_columns(plan);
	remote->order = list_nth(plan->fdw_private, PRIVATE_ORDER);
	remote->keyed = only_key(bounds, list_nth(plan->fdw_private, PRIVATE_KEY));
	scan->state = remote;
}

/* The scan is over for the worker, too. */
static void
close_remote(RemoteScan *remote)
{
	if (!remote->begun)
		return;
	remote->begun = false;
	ct_worker_scans(remote->generation, -1);
	ct_worker_close(remote->generation, remote->number);
}

/*
 * Get the draft ready for a request of a scan: with S before it where the
 * worker does not know the scan yet.
 */
static Writer *
scan_draft(TableScan *scan, RemoteScan *remote)
{
	uint32		told = 0;
	Writer	   *draft;
	size_t		begin;

	if (!remote->begun)
		told = ct_table_number(remote->table, remote->user);
	else
		ct_worker_ready(ct_table_wrapper(remote->table));
	draft = ct_worker_draft();
	if (remote->begun && remote->generation != ct_worker_generation)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_CREATE_EXECUTION),
				 errmsg("the Python worker of cloudtrail_fdw has ended"),
				 errdetail("It ended between two rows of a query."),
				 errhint("Run the query again; if that does not help, the server's log may say why.")));
	if (remote->begun)
		return draft;
	remote->number = ct_worker_number(0);
	remote->generation = ct_worker_generation;
	begin = put_request(draft, 'S', remote->number, 3, told, remote->table,
						remote->keyed ? NIL : remote->bounds, scan->params, remote->wanted);
	put_order(draft, remote->order);
	ct_put_bool(draft, ct_reads_all(scan));
	ct_put_int(draft, GetCurrentStatementStartTimestamp());
	ct_end_frame(draft, begin);
	remote->begun = true;
	ct_worker_scans(remote->generation, 1);
	return draft;
}

/*
 * The row of the key that the scan has, NULL when there is none; those of
 * others are for later.  The scan takes over what it came in: the check of a
 * domain may run a query that asks the worker, too.
 */
static TupleTableSlot *
look_up(TableScan *scan, RemoteScan *remote, const char *table)
{
	Bound	   *bound = linitial(remote->bounds);
	char	   *key = TextDatumGetCString(bound->param > 0 ?
										  scan->params->params[bound->param - 1].value :
										  ((Const *) bound->value)->constvalue);
	Writer	   *draft = scan_draft(scan, remote);
	size_t		begin = ct_begin_frame(draft, 'L', remote->number);
	TupleTableSlot *slot = NULL;
	Reader		rows;
	size_t		length;

	ct_put_array(draft, 2);
	ct_put_string(draft, key);
	ct_put_int(draft, ct_rows_ahead(scan));
	ct_end_frame(draft, begin);
	if (ct_worker_ask(draft, remote->number, table) != 'P')
		ct_worker_rubbish();
	ct_drop_packed(scan);
	scan->packed = ct_worker_take(&length);
	rows.next = (unsigned char *) scan->packed;
	rows.end = rows.next + length;
	if (!ct_take_keyed(scan, key, rows, &slot))
		ct_worker_rubbish();
	return slot;
}

/* The first of the next rows of a scan; NULL at the end. */
static TupleTableSlot *
next_page(TableScan *scan, RemoteScan *remote, const char *table)
{
	Writer	   *draft = scan_draft(scan, remote);
	size_t		begin = ct_begin_frame(draft, 'N', remote->number);
	size_t		length;
	char	   *rows;
	char		type;

	ct_put_nil(draft);
	ct_end_frame(draft, begin);
	type = ct_worker_ask(draft, remote->number, table);
	if (type == 'Z')
	{
		remote->begun = false;
		remote->done = true;
		ct_worker_scans(remote->generation, -1);
		return NULL;
	}
	if (type != 'P')
		ct_worker_rubbish();
	rows = ct_worker_take(&length);
	ct_take_packed(scan, rows, length);
	return ct_packed_row(scan);
}

static TupleTableSlot *
remote_row(TableScan *scan)
{
	RemoteScan *remote = scan->state;
	const char *table = RelationGetRelationName(scan->node->ss.ss_currentRelation);
	TupleTableSlot *slot;

	if (scan->again)
	{
		if (!remote->keyed)
			close_remote(remote);
		remote->done = false;
		scan->again = false;
	}
	if (remote->done)
		slot = NULL;
	else
		slot = remote->keyed ? look_up(scan, remote, table) : next_page(scan, remote, table);
	return slot ? slot : ExecClearTuple(scan->node->ss.ss_ScanTupleSlot);
}

static void
remote_end(TableScan *scan)
{
	close_remote(scan->state);
}


/* ------------------------------------------------------------------------
 * EXPLAIN and IMPORT FOREIGN SCHEMA
 * ------------------------------------------------------------------------
 */

static char *
remote_explain(ForeignScanState *node, bool verbose, List *bounds, List *names)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Oid			table = RelationGetRelid(node->ss.ss_currentRelation);
	uint32		told = ct_table_number(table, GetUserId());
	uint32		request = ct_worker_number(FRAME_REQUEST);
	Writer	   *draft = ct_worker_draft();
	List	   *runtime = NIL;
	size_t		begin;
	Reader		reader;
	ListCell   *cell;
	StringInfoData lines;

	foreach(cell, names)
		runtime = lappend(runtime, strVal(lfirst(cell)) + strlen(MARK_RUNTIME));
	begin = put_request(draft, 'X', request, 3, told, table, bounds, NULL, plan_columns(plan));
	put_order(draft, list_nth(plan->fdw_private, PRIVATE_ORDER));
	ct_put_bool(draft, verbose);
	put_names(draft, runtime);
	ct_end_frame(draft, begin);
	reader = ask(draft, request, get_rel_name(table));
	initStringInfo(&lines);
	for (uint32 count = answer_array(&reader); count > 0; count--)
		appendStringInfo(&lines, "%s\n", answer_name(&reader));
	return lines.data;
}

/* The command that makes a foreign table, of its name and columns in an answer to I. */
static char *
table_command(Reader *reader, const char *server)
{
	StringInfoData command;
	char	   *name;
	uint32		count;

	if (answer_array(reader) != 2)
		ct_worker_rubbish();
	name = answer_name(reader);
	initStringInfo(&command);
	appendStringInfo(&command, "CREATE FOREIGN TABLE %s (", quote_identifier(name));
	count = answer_array(reader);
	for (uint32 number = 0; number < count; number++)
	{
		char	   *column;
		Oid			type;
		int32		typmod;

		if (answer_array(reader) != 2)
			ct_worker_rubbish();
		column = answer_name(reader);
#if PG_VERSION_NUM >= 160000
		(void) parseTypeString(answer_name(reader), &type, &typmod, NULL);
#else
		parseTypeString(answer_name(reader), &type, &typmod, false);
#endif
		appendStringInfo(&command, "%s%s %s", number > 0 ? ", " : "", quote_identifier(column),
						 format_type_with_typemod(type, typmod));
	}
	appendStringInfo(&command, ") SERVER %s OPTIONS (table_name %s)", quote_identifier(server),
					 quote_literal_cstr(name));
	return command.data;
}

List *
ct_remote_import(ImportForeignSchemaStmt *stmt, Oid server)
{
	ForeignServer *found = GetForeignServer(server);
	List	   *commands = NIL;
	uint32		request;
	Writer	   *draft;
	size_t		begin;
	Reader		reader;
	ListCell   *cell;

	ct_worker_ready(found->fdwid);
	request = ct_worker_number(FRAME_REQUEST);
	draft = ct_worker_draft();
	begin = ct_begin_frame(draft, 'I', request);
	ct_put_array(draft, 4);
	ct_put_string(draft, stmt->remote_schema);
	ct_put_options(draft, stmt->options);
	ct_put_string(draft, stmt->list_type == FDW_IMPORT_SCHEMA_LIMIT_TO ? "limit" :
				  stmt->list_type == FDW_IMPORT_SCHEMA_EXCEPT ? "except" : NULL);
	ct_put_array(draft, list_length(stmt->table_list));
	foreach(cell, stmt->table_list)
		ct_put_string(draft, ((RangeVar *) lfirst(cell))->relname);
	ct_end_frame(draft, begin);
	reader = ask(draft, request, NULL);
	for (uint32 count = answer_array(&reader); count > 0; count--)
		commands = lappend(commands, table_command(&reader, found->servername));
	return commands;
}

const Host	ct_remote = {
	.size = remote_size,
	.paths = remote_paths,
	.plan = remote_plan,
	.begin = remote_begin,
	.row = remote_row,
	.end = remote_end,
	.release = remote_end,
	.explain = remote_explain,
};
