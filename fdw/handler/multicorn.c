/*-------------------------------------------------------------------------
 *
 * multicorn.c
 *		All that calls Multicorn, or is called by the Python in it.
 *
 *-------------------------------------------------------------------------
 */
#include "cloudtrail_fdw.h"

#include "catalog/pg_foreign_server.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/executor.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "storage/ipc.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/syscache.h"


/* For Python. */
extern PGDLLEXPORT int cloudtrail_fdw_active;
extern PGDLLEXPORT int cloudtrail_fdw_all_rows;
extern PGDLLEXPORT int cloudtrail_fdw_rows_ahead;
extern PGDLLEXPORT void cloudtrail_fdw_report(const char *sqlstate, const char *message,
											  const char *detail, const char *hint);
extern PGDLLEXPORT void cloudtrail_fdw_key(const char *column);
extern PGDLLEXPORT void cloudtrail_fdw_choice(const char *column, bool nullable);
extern PGDLLEXPORT void cloudtrail_fdw_at_exit(void (*callback) (void));
extern PGDLLEXPORT bool cloudtrail_fdw_rows(const char *rows, size_t length);
extern PGDLLEXPORT void cloudtrail_fdw_only_row(void);
extern PGDLLEXPORT bool cloudtrail_fdw_keyed_rows(const char *rows, size_t length);

/* What Python reported of the error that it is about to raise. */
static struct
{
	int			sqlstate;
	char	   *message;		/* malloc'd; NULL when there is no report */
	char	   *detail;
	char	   *hint;
} report;

/* What Python handed over during the call that it is in. */
static struct
{
	char	   *rows;			/* malloc'd; NULL when there are none */
	size_t		length;
	bool		keyed;			/* rows are those of keys */
	bool		only_row;
} handed;

int			cloudtrail_fdw_active = 0;
int			cloudtrail_fdw_all_rows = false;
int			cloudtrail_fdw_rows_ahead = 0;

/* Changes with every scan that begins: what Python read before may be stale. */
static int	generation = 1;

static FdwRoutine *multicorn = NULL;
static Answer answer;			/* what Python names during get_rel_size */
static void (*exit_callback) (void) = NULL;


/* ------------------------------------------------------------------------
 * Called by Python
 * ------------------------------------------------------------------------
 */

static void
forget_report(void)
{
	free(report.message);
	free(report.detail);
	free(report.hint);
	memset(&report, 0, sizeof(report));
}

/*
 * The error that Python is about to raise, in UTF-8; detail and hint may be
 * NULL.  An error without a report stays as Multicorn made it.
 */
void
cloudtrail_fdw_report(const char *sqlstate, const char *message,
					  const char *detail, const char *hint)
{
	forget_report();
	report.sqlstate = ERRCODE_INTERNAL_ERROR;
	if (strlen(sqlstate) == 5 && strspn(sqlstate, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5)
		report.sqlstate = MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2],
										sqlstate[3], sqlstate[4]);
	report.message = strdup(message);
	report.detail = detail ? strdup(detail) : NULL;
	report.hint = hint ? strdup(hint) : NULL;
}

/*
 * The column that a query must bind with "=".  Python calls it in
 * get_rel_size; a table for which it does not has no key.
 */
void
cloudtrail_fdw_key(const char *column)
{
	namestrcpy(&answer.key, column);
}

/*
 * A column that chooses what is read: without a value of it the table gives
 * some of its rows, or all with NULL in it.  Called in get_rel_size.
 */
void
cloudtrail_fdw_choice(const char *column, bool nullable)
{
	if (answer.nchoices == MOST_CHOICES)
		return;
	namestrcpy(&answer.choices[answer.nchoices].column, column);
	answer.choices[answer.nchoices++].nullable = nullable;
}

/*
 * Rows for the scan that Python is called by, instead of the one that it is
 * about to yield: an array of MessagePack, of an array for each row, with a
 * text, a boolean or nil for every wanted column, in the table's order.
 * False when there is no memory for them.
 */
bool
cloudtrail_fdw_rows(const char *rows, size_t length)
{
	free(handed.rows);
	handed.rows = malloc(length);
	handed.length = length;
	if (handed.rows)
		memcpy(handed.rows, rows, length);
	return handed.rows != NULL;
}

/*
 * As cloudtrail_fdw_rows, for a scan that one key selects rows of: an array of
 * [key, row or nil], first that of the scan's key, then those of at most
 * cloudtrail_fdw_rows_ahead others that the query is likely to ask for.
 * Python is about to give anything in their place.
 */
bool
cloudtrail_fdw_keyed_rows(const char *rows, size_t length)
{
	handed.keyed = true;
	return cloudtrail_fdw_rows(rows, length);
}

/* The row that Python is about to give is the only one for the scan's key. */
void
cloudtrail_fdw_only_row(void)
{
	handed.only_row = true;
}

/* Forget what an earlier call handed over. */
static void
empty_hands(void)
{
	free(handed.rows);
	memset(&handed, 0, sizeof(handed));
}

static void
run_exit_callback(int code UNUSED, Datum arg UNUSED)
{
	exit_callback();
}

/* What to do before this process ends: Python joins its threads. */
void
cloudtrail_fdw_at_exit(void (*callback) (void))
{
	if (exit_callback == NULL)
		before_shmem_exit(run_exit_callback, (Datum) 0);
	exit_callback = callback;
}


/* ------------------------------------------------------------------------
 * Calling Multicorn
 * ------------------------------------------------------------------------
 */

/* Whose scan or plan Multicorn is called for: Python knows no name of it. */
static NameData table_name;

/*
 * In PG_CATCH after a call of Multicorn's: throw what Python reported, or the
 * error itself when Python did not.  A cancel or a shutdown that Python found
 * pending is thrown by PostgreSQL itself, which knows whether it was a user
 * or a timeout.
 */
static void
rethrow(MemoryContext context)
{
	ErrorData  *error;

	if (report.message == NULL)
		PG_RE_THROW();
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	if (report.sqlstate == ERRCODE_QUERY_CANCELED ||
		report.sqlstate == ERRCODE_ADMIN_SHUTDOWN)
		CHECK_FOR_INTERRUPTS();

#define SERVER_TEXT(s) ((s) ? pg_any_to_server((s), strlen(s), PG_UTF8) : NULL)
	error->sqlerrcode = report.sqlstate;
	error->message = ct_named_message(SERVER_TEXT(report.message), NameStr(table_name));
	error->detail = SERVER_TEXT(report.detail);
	error->hint = SERVER_TEXT(report.hint);
	error->detail_log = NULL;	/* a traceback, which may hold a secret */
	ReThrowError(error);
}

/* Call Multicorn, "undo" what was lent to it, and give errors their form. */
#define CALL_MULTICORN(call, undo) \
	do { \
		MemoryContext context_ = CurrentMemoryContext; \
		if (report.message) \
			forget_report(); \
		cloudtrail_fdw_active = generation; \
		PG_TRY(); \
		{ \
			call; \
		} \
		PG_CATCH(); \
		{ \
			cloudtrail_fdw_active = 0; \
			undo; \
			rethrow(context_); \
		} \
		PG_END_TRY(); \
		cloudtrail_fdw_active = 0; \
		namestrcpy(&table_name, ""); \
		undo; \
	} while (0)

/* Ask Multicorn for its callbacks, once. */
void
ct_load_multicorn(FunctionCallInfo fcinfo)
{
	PGFunction	handler;
	FdwRoutine *found;

	if (multicorn)
		return;
	handler = load_external_function("$libdir/multicorn", "multicorn_handler", true, NULL);
	found = (FdwRoutine *) DatumGetPointer(handler(fcinfo));
	multicorn = MemoryContextAlloc(TopMemoryContext, sizeof(FdwRoutine));
	*multicorn = *found;
}

/*
 * Let Multicorn's validator import the Python class of a table's server
 * before anything else does: a class that cannot be imported is an error
 * there, and elsewhere a crash at the second try.
 */
static void
check_class(Oid table)
{
	static List *checked = NIL; /* OIDs of servers, in TopMemoryContext */
	ForeignServer *server = GetForeignServer(GetForeignTable(table)->serverid);
	PGFunction	validator;
	ListCell   *cell;
	Datum		option;

	if (list_member_oid(checked, server->serverid))
		return;
	validator = load_external_function("$libdir/multicorn", "multicorn_validator", true, NULL);
	foreach(cell, server->options)
	{
		DefElem    *def = lfirst_node(DefElem, cell);

		if (strcmp(def->defname, "wrapper") != 0)
			continue;
		option = CStringGetTextDatum(psprintf("wrapper=%s", defGetString(def)));
		option = PointerGetDatum(construct_array(&option, 1, TEXTOID, -1, false, TYPALIGN_INT));
		CALL_MULTICORN(DirectFunctionCall2(validator, option,
										   ObjectIdGetDatum(ForeignServerRelationId)),
					   (void) 0);
	}
	{
		MemoryContext context = MemoryContextSwitchTo(TopMemoryContext);

		checked = lappend_oid(checked, server->serverid);
		MemoryContextSwitchTo(context);
	}
}


/* ------------------------------------------------------------------------
 * What Multicorn gets to see of a clause
 * ------------------------------------------------------------------------
 */

/*
 * Multicorn keeps the operator's name as a pointer into the catalog cache,
 * without holding the entry: an invalidation would leave it dangling.  So
 * hold the entries of the few built-in operators for good.
 */
static void
hold_operator(Oid opno)
{
	static ResourceOwner holder = NULL;
	static List *held = NIL;	/* HeapTuples, in TopMemoryContext */
	ResourceOwner owner = CurrentResourceOwner;
	HeapTuple	entry;

	if (holder == NULL)
		holder = ResourceOwnerCreate(NULL, "cloudtrail_fdw operators");
	CurrentResourceOwner = holder;
	entry = SearchSysCache1(OPEROID, ObjectIdGetDatum(opno));
	if (HeapTupleIsValid(entry) && list_member_ptr(held, entry))
		ReleaseSysCache(entry);
	else if (HeapTupleIsValid(entry))
	{
		MemoryContext context = MemoryContextSwitchTo(TopMemoryContext);

		held = lappend(held, entry);
		MemoryContextSwitchTo(context);
	}
	CurrentResourceOwner = owner;
}

/* The clause as Multicorn gets it, "value" standing for the operand. */
static Expr *
multicorn_clause(Bound *bound, Expr *value)
{
	Expr	   *column = (Expr *) copyObject(bound->column);

	if (!OidIsValid(bound->opno))
	{
		NullTest   *test = makeNode(NullTest);

		test->arg = column;
		test->nulltesttype = bound->nulltest;
		test->location = -1;
		return (Expr *) test;
	}
	hold_operator(bound->opno);
	if (bound->is_array)
	{
		ScalarArrayOpExpr *array = makeNode(ScalarArrayOpExpr);

		array->opno = bound->opno;
		array->useOr = bound->use_or;
		array->args = list_make2(column, value);
		array->location = -1;
		return (Expr *) array;
	}
	return make_opclause(bound->opno, BOOLOID, false, column, value, InvalidOid, InvalidOid);
}

/* The clauses of bounds; an operand without a value is a parameter of the scan's. */
static List *
multicorn_clauses(List *bounds)
{
	List	   *clauses = NIL;
	ListCell   *cell;

	foreach(cell, bounds)
	{
		Bound	   *bound = lfirst(cell);
		Expr	   *value = bound->value;

		if (bound->param > 0)
		{
			Param	   *param = makeNode(Param);

			param->paramkind = PARAM_EXTERN;
			param->paramid = bound->param;
			param->paramtype = bound->type;
			param->paramtypmod = -1;
			param->paramcollid = get_typcollation(bound->type);
			param->location = -1;
			value = (Expr *) param;
		}
		clauses = lappend(clauses, multicorn_clause(bound, value));
	}
	return clauses;
}


/* ------------------------------------------------------------------------
 * The host
 * ------------------------------------------------------------------------
 */

static void
multicorn_size(PlannerInfo *root, RelOptInfo *rel, Oid table, List *bounds, List *wanted,
			   Answer *named)
{
	List	   *clauses = rel->baserestrictinfo;
	List	   *exprs = rel->reltarget->exprs;
	List	   *shown = NIL;
	List	   *columns = NIL;
	ListCell   *cell;

	check_class(table);
	foreach(cell, wanted)
	{
		Oid			type,
					collation;
		int32		typmod;

		get_atttypetypmodcoll(table, lfirst_int(cell), &type, &typmod, &collation);
		columns = lappend(columns, makeVar(rel->relid, lfirst_int(cell), type, typmod,
										   collation, 0));
	}
	foreach(cell, multicorn_clauses(bounds))
	{
		RestrictInfo *restriction = makeNode(RestrictInfo);

		restriction->clause = lfirst(cell);
		shown = lappend(shown, restriction);
	}
	memset(&answer, 0, sizeof(answer));
	rel->baserestrictinfo = shown;
	rel->reltarget->exprs = columns;
	namestrcpy(&table_name, get_rel_name(table));
	CALL_MULTICORN(multicorn->GetForeignRelSize(root, rel, table),
				   (rel->baserestrictinfo = clauses, rel->reltarget->exprs = exprs));
	*named = answer;
}

static void
multicorn_paths(PlannerInfo *root, RelOptInfo *rel, Oid table)
{
	TablePlan  *plan = rel->fdw_private;
	List	   *eq_classes = root->eq_classes;
	List	   *left_joins = root->left_join_clauses;
	List	   *right_joins = root->right_join_clauses;
	Relids		lateral = rel->lateral_relids;

	/* of use for parameterized paths only; from PostgreSQL 16 on it cannot compare the latter two */
	root->eq_classes = root->left_join_clauses = root->right_join_clauses = NIL;
	rel->lateral_relids = NULL; /* which its paths do not take into account */
	rel->fdw_private = plan->state;
	CALL_MULTICORN(multicorn->GetForeignPaths(root, rel, table),
				   (root->eq_classes = eq_classes, root->left_join_clauses = left_joins,
					root->right_join_clauses = right_joins, rel->lateral_relids = lateral,
					rel->fdw_private = plan));
}

/* Without clauses: it would copy them and warn of those it does not know. */
static ForeignScan *
multicorn_plan(PlannerInfo *root, RelOptInfo *rel, Oid table, ForeignPath *path, List *tlist,
			   Plan *outer_plan)
{
	TablePlan  *plan = rel->fdw_private;
	ForeignScan *volatile scan = NULL;

	rel->fdw_private = plan->state;
	CALL_MULTICORN(scan = multicorn->GetForeignPlan(root, rel, table, path, tlist, NIL, outer_plan),
				   rel->fdw_private = plan);
	return scan;
}

List *
ct_multicorn_import(ImportForeignSchemaStmt *stmt, Oid server)
{
	List	   *volatile statements = NIL;

	CALL_MULTICORN(statements = multicorn->ImportForeignSchema(stmt, server), (void) 0);
	return statements;
}

/*
 * Begin a scan of Multicorn's with these clauses, and further names for the
 * set of wanted columns.  Multicorn reads both from the plan node; it gets a
 * copy, as the plan may be a cached one.  fdw_state becomes Multicorn's.
 */
static void
begin_multicorn(ForeignScanState *node, int eflags, List *clauses, List *names)
{
	Plan	   *plan = node->ss.ps.plan;
	ForeignScan *copy = palloc(sizeof(ForeignScan));
	List	   *fdw_private;
	ListCell   *columns;

	*copy = *(ForeignScan *) plan;
	copy->fdw_exprs = clauses;
	copy->fdw_private = fdw_private = list_copy(copy->fdw_private);
	columns = list_nth_cell(fdw_private, PRIVATE_COLUMNS);
	lfirst(columns) = list_concat_copy((List *) lfirst(columns), names);
	node->ss.ps.plan = (Plan *) copy;
	CALL_MULTICORN(multicorn->BeginForeignScan(node, eflags), node->ss.ps.plan = plan);
}

static void
multicorn_begin(TableScan *scan, int eflags, List *bounds)
{
	generation = generation == PG_INT32_MAX ? 1 : generation + 1;
	begin_multicorn(scan->node, eflags, multicorn_clauses(bounds), NIL);
	scan->state = scan->node->fdw_state;
	scan->node->fdw_state = scan;
}

/*
 * The next row from Multicorn.  At the first of each (re)scan it evaluates its
 * parameters, so it is lent our list of them.
 */
static TupleTableSlot *
multicorn_row(TableScan *scan)
{
	ForeignScanState *node = scan->node;
	EState	   *estate = node->ss.ps.state;
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	ParamListInfo estate_params = estate->es_param_list_info;
	ParamListInfo econtext_params = econtext->ecxt_param_list_info;
	TupleTableSlot *volatile slot = NULL;

	empty_hands();
	node->fdw_state = scan->state;
	estate->es_param_list_info = econtext->ecxt_param_list_info = scan->params;
	cloudtrail_fdw_all_rows = ct_reads_all(scan);
	cloudtrail_fdw_rows_ahead = ct_rows_ahead(scan);
	namestrcpy(&table_name, RelationGetRelationName(node->ss.ss_currentRelation));
	CALL_MULTICORN((scan->again ? multicorn->ReScanForeignScan(node) : (void) 0,
					scan->again = false, slot = multicorn->IterateForeignScan(node)),
				   (cloudtrail_fdw_all_rows = false, cloudtrail_fdw_rows_ahead = 0,
					node->fdw_state = scan,
					estate->es_param_list_info = estate_params,
					econtext->ecxt_param_list_info = econtext_params));
	if (handed.keyed)
	{
		Reader		rows = {(unsigned char *) handed.rows,
			(unsigned char *) handed.rows + handed.length};

		if (!handed.rows || !ct_check_answer('P', handed.rows, handed.length) ||
			!ct_take_keyed(scan, NULL, rows, (TupleTableSlot **) &slot))
			ct_damaged();
		empty_hands();
		return slot ? slot : ExecClearTuple(node->ss.ss_ScanTupleSlot);
	}
	if (handed.rows)
	{
		char	   *rows = handed.rows;

		handed.rows = NULL;
		ct_take_packed(scan, rows, handed.length);
		return ct_packed_row(scan);
	}
	if (handed.only_row && !TupIsNull(slot))
		ct_remember_row(scan, slot);
	return slot;
}

static void
multicorn_end(TableScan *scan)
{
	scan->node->fdw_state = scan->state;
	CALL_MULTICORN(multicorn->EndForeignScan(scan->node), scan->node->fdw_state = scan);
}

/*
 * Let Python's iterator go, and with it the threads and sockets it holds.
 * Multicorn's ReScan does nothing but drop the iterator, and cannot fail.
 */
static void
multicorn_release(TableScan *scan)
{
	scan->node->fdw_state = scan->state;
	multicorn->ReScanForeignScan(scan->node);
}

/* It gets a scan of its own for it, without any parameter, whether the query ran or not. */
static char *
multicorn_explain(ForeignScanState *node, bool verbose, List *bounds, List *names)
{
	ExplainState *es = NewExplainState();
	void	   *state = node->fdw_state;

	es->verbose = verbose;
	begin_multicorn(node, EXEC_FLAG_EXPLAIN_ONLY, multicorn_clauses(bounds), names);
	namestrcpy(&table_name, RelationGetRelationName(node->ss.ss_currentRelation));
	CALL_MULTICORN((multicorn->ExplainForeignScan(node, es), multicorn->EndForeignScan(node)),
				   node->fdw_state = state);
	return es->str->data;
}

const Host	ct_multicorn = {
	.size = multicorn_size,
	.paths = multicorn_paths,
	.plan = multicorn_plan,
	.begin = multicorn_begin,
	.row = multicorn_row,
	.end = multicorn_end,
	.release = multicorn_release,
	.explain = multicorn_explain,
};
