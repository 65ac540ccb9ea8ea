/*-------------------------------------------------------------------------
 *
 * cloudtrail_fdw.c
 *		A foreign-data wrapper handler around Multicorn's.
 *
 * Multicorn calls our Python.  This library stands between PostgreSQL and
 * Multicorn, which it leaves as it is: it asks Multicorn for its callbacks
 * and calls them from its own, with arguments that Multicorn is known to
 * read correctly.
 *
 * What Multicorn would otherwise get wrong, and where it is put right:
 *
 * - It knows an operator by its name only and reads an operand by a type
 *	 that may not be the operand's.  proven_bounds() lets a clause pass only when the
 *	 operator is built in, its collation is deterministic, and the operand has
 *	 the column's type or one that is converted here without loss.  What does
 *	 not pass is hidden from Multicorn; PostgreSQL checks every clause again.
 * - It evaluates operands as expressions of unknown type, and in EXPLAIN
 *	 takes zero for their values.  Here operands are evaluated by us, at each
 *	 (re)scan, and Multicorn gets them as external parameters of a parameter
 *	 list of ours, or as constants; in EXPLAIN, as constants only.
 * - It prints timestamps with the session's DateStyle and TimeZone.  Here
 *	 they are handed over as text: ISO, UTC.
 * - Its parameterized paths can lose join clauses (before PostgreSQL 16),
 *	 and it overlooks LATERAL references.  Paths are made here again.
 * - Its names of wanted columns overlook whole-row references.
 * - Its errors have no SQLSTATE; a pending cancel is not seen.
 * - It asks Python for every row and every value of it.  Here Python may hand
 *	 over many rows at once, packed, and the row of a key that a join asks for
 *	 again is remembered.
 *
 * What Python and this library tell each other:
 *
 * - cloudtrail_fdw_active, which Python reads through ctypes, says that it is
 *	 called through this library, and hence that the set of wanted columns is
 *	 complete and that times are ISO and UTC.  Its value changes with every
 *	 scan that begins, so that Python need not read settings at each rescan.
 * - cloudtrail_fdw_all_rows, of the same kind, says that the query will read
 *	 the scan that calls Python to its end: no LIMIT, no cursor, no EXISTS.
 * - In EXPLAIN, names in that set that no column has tell which columns have
 *	 a bound at run time (MARK_RUNTIME).
 * - Python names the columns that choose what is read (cloudtrail_fdw_choice).
 *	 A condition on one that Multicorn does not get is an error, wherever in
 *	 the plan it stands: rows that it asks for might never have been read.
 * - The functions exported below are called by Python, through ctypes too.
 *
 * PostgreSQL 13 to 18, Multicorn 1.4 and 3.2.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#include "common/hashfn.h"
#include "executor/execdesc.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "storage/ipc.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(cloudtrail_fdw_handler);

/* For Python. */
extern PGDLLEXPORT int cloudtrail_fdw_active;
extern PGDLLEXPORT int cloudtrail_fdw_all_rows;
extern PGDLLEXPORT void cloudtrail_fdw_report(const char *sqlstate, const char *message,
											  const char *detail, const char *hint);
extern PGDLLEXPORT void cloudtrail_fdw_key(const char *column);
extern PGDLLEXPORT void cloudtrail_fdw_choice(const char *column, bool nullable);
extern PGDLLEXPORT void cloudtrail_fdw_at_exit(void (*callback) (void));
extern PGDLLEXPORT bool cloudtrail_fdw_rows(const char *rows, size_t length);
extern PGDLLEXPORT void cloudtrail_fdw_only_row(void);

#define MARK_RUNTIME	"cloudtrail_fdw.runtime."
#define LABEL			"Multicorn: "	/* how Multicorn's EXPLAIN begins a line */
#define RUNTIME_LABEL	"Runtime Bounds"
#define RUNTIME_KEYS	10		/* how many a list of unknown length may hold */
#define LAST_RESORT		1000	/* how often a path counts as disabled that cannot be run */
#define MOST_OUTERS		32		/* parameterized paths of one table */
#define MOST_CHOICES	8		/* columns of one table that choose what is read */

/*
 * Before the name of a column that chooses what is read and has no value in
 * the plan's clauses; the second where it may be NULL.
 */
#define MARK_CHOICE			"cloudtrail_fdw.choice."
#define MARK_NULLABLE		"cloudtrail_fdw.nullable."

/* Where Multicorn's plans keep things: the same in 1.4 and 3.2. */
#define PRIVATE_COLUMNS		2	/* names of wanted columns */
#define PRIVATE_SORT		3	/* list of sort keys, each a list ... */
#define SORT_PATHKEY		5	/* ... that has the planner's PathKey here */

/* How an operand becomes a value that Multicorn reads correctly. */
typedef enum Conversion
{
	AS_IT_IS,
	INT4_TO_INT8,
	NAME_TO_TEXT,
	DATE_TO_TEXT,
	TIMESTAMP_TO_TEXT,
	TIMESTAMPTZ_TO_TEXT
} Conversion;

/* A clause "column operator operand" or "column IS [NOT] NULL" that is proven. */
typedef struct Bound
{
	Expr	   *clause;			/* the clause, as PostgreSQL has it */
	Var		   *column;
	Oid			opno;			/* InvalidOid for a NullTest */
	bool		is_array;		/* = ANY, <> ALL */
	bool		use_or;
	Expr	   *operand;		/* NULL for a NullTest */
	Oid			type;			/* of the converted operand */
	Conversion	conversion;
	NullTestType nulltest;
} Bound;

/* Planning one foreign table; in RelOptInfo.fdw_private. */
typedef struct TablePlan
{
	void	   *multicorn;		/* what Multicorn has there */
	AttrNumber	key;			/* column without which it cannot be read, or 0 */
	bool		has_key;		/* the key has a bound without a join */
	List	   *choices;		/* wanted columns that choose what is read, without a value */
	List	   *marks;			/* what each of them is called in the plan */
} TablePlan;

/* A column whose values come packed. */
typedef struct PackedColumn
{
	int			place;			/* in the row, from 0 */
	Oid			type;
	int32		typmod;
	FmgrInfo	input;
	Oid			ioparam;
} PackedColumn;

/* The only row for a value of a scan's only operand. */
typedef struct KeyedRow
{
	uint32		hash;			/* of the value; first, as dynahash wants its key */
	text	   *key;
	HeapTuple	row;
} KeyedRow;

/* How many of its rows a plan node will be asked for. */
typedef enum Reading
{
	SOME_ROWS,					/* or it is not known */
	ROWS_OF_QUERY,				/* all of them, if the query is run to its end */
	ALL_ROWS
} Reading;

/* One scan; in ForeignScanState.fdw_state. */
typedef struct TableScan
{
	void	   *multicorn;		/* what Multicorn has there; NULL in EXPLAIN */
	ForeignScanState *node;
	bool		open;			/* Multicorn has begun, and has not ended */
	bool		fresh;			/* the next call starts a (re)scan */
	bool		again;			/* that Multicorn has to be told of */
	bool		never;			/* a constant operand is NULL: no row, ever */
	bool		empty;			/* no further row in this (re)scan, as an operand is NULL, say */
	char	   *untold;			/* column that a condition asks for without telling its values */
	Reading		reading;
	List	   *operands;		/* ExprStates */
	List	   *conversions;	/* of the operands, integers */
	ParamListInfo params;		/* their values */
	char	   *packed;			/* rows that Python handed over, malloc'd */
	const char *next;			/* what is left of them */
	const char *end;
	uint32		rows;			/* how many are left */
	int			ncolumns;		/* that each of them has */
	PackedColumn *columns;		/* NULL before the first */
	HTAB	   *known;			/* KeyedRows; NULL before the first */
	MemoryContext memory;		/* where they are */
	MemoryContextCallback release;
} TableScan;

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
	bool		only_row;
} handed;

int			cloudtrail_fdw_active = 0;
int			cloudtrail_fdw_all_rows = false;

/* Changes with every scan that begins: what Python read before may be stale. */
static int	generation = 1;

static FdwRoutine *multicorn = NULL;
static NameData key_column;		/* named by Python during get_rel_size */
static struct
{
	NameData	column;
	bool		nullable;
}			choices[MOST_CHOICES];	/* named by Python during get_rel_size, too */
static int	nchoices = 0;
static void (*exit_callback) (void) = NULL;
static ExecutorRun_hook_type next_run_hook = NULL;
static bool whole_run = false;	/* the query that runs does so to its end */


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
	namestrcpy(&key_column, column);
}

/*
 * A column that chooses what is read: without a value of it the table gives
 * some of its rows, or all with NULL in it.  Called in get_rel_size.
 */
void
cloudtrail_fdw_choice(const char *column, bool nullable)
{
	if (nchoices == MOST_CHOICES)
		return;
	namestrcpy(&choices[nchoices].column, column);
	choices[nchoices++].nullable = nullable;
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
run_exit_callback(int code, Datum arg)
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
 * Errors
 * ------------------------------------------------------------------------
 */

/* Whose scan or plan Multicorn is called for: Python knows no name of it. */
static NameData table_name;

/* What Python reported, where "this table" begins it with the table's name. */
static char *
named_message(void)
{
	const char *words = "this table ";
	char	   *text = report.message;

	if (*NameStr(table_name) && strncmp(text, words, strlen(words)) == 0)
		return psprintf("%s %s", NameStr(table_name),
						pg_any_to_server(text + strlen(words), strlen(text) - strlen(words), PG_UTF8));
	return pg_any_to_server(text, strlen(text), PG_UTF8);
}

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
	error->message = named_message();
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


/* ------------------------------------------------------------------------
 * Which clauses are proven
 * ------------------------------------------------------------------------
 */

/* Whether an expression has a column of this table. */
static bool
has_column(Node *node, Index *relid)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return ((Var *) node)->varno == *relid;
	return expression_tree_walker(node, has_column, relid);
}

/* Whether a value is known at run time only. */
static bool
has_param(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param) || IsA(node, Var))
		return true;
	return expression_tree_walker(node, has_param, context);
}

/*
 * The column that a node is, or NULL.  Of casts only those that change
 * nothing are seen through; "type" becomes the type that they lead to.
 */
static Var *
plain_column(Node *node, Index relid, Oid *type)
{
	Var		   *column;

	*type = exprType(node);
	if (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (!IsA(node, Var))
		return NULL;
	column = (Var *) node;
	if (column->varno != relid || column->varattno <= 0 || column->varlevelsup != 0)
		return NULL;
	if (*type != column->vartype &&
		!(column->vartype == VARCHAROID && *type == TEXTOID) &&
		!(column->vartype == CIDROID && *type == INETOID))
		return NULL;
	return column;
}

/* Whether an operator means to Multicorn what it means to PostgreSQL. */
static bool
proven_operator(Oid opno, Oid collation)
{
	return opno < FirstGenbkiObjectId && op_strict(opno) &&
		(!OidIsValid(collation) || get_collation_isdeterministic(collation));
}

/*
 * Whether operands of type "from" can be compared with a column of type "to",
 * by an operator that takes just these two, and how they are handed over.
 */
static bool
proven_type(Oid to, Oid from, Conversion *conversion)
{
	*conversion = AS_IT_IS;
	switch (to)
	{
		case TEXTOID:
			if (from == NAMEOID)
				*conversion = NAME_TO_TEXT;
			return from == TEXTOID || from == NAMEOID;
		case TIMESTAMPTZOID:
			*conversion = from == DATEOID ? DATE_TO_TEXT :
				from == TIMESTAMPOID ? TIMESTAMP_TO_TEXT : TIMESTAMPTZ_TO_TEXT;
			return from == TIMESTAMPTZOID || from == TIMESTAMPOID || from == DATEOID;
		case INT8OID:
			if (from == INT4OID)
				*conversion = INT4_TO_INT8;
			return from == INT8OID || from == INT4OID;
		case BOOLOID:
		case INT4OID:
		case INETOID:
		case UUIDOID:
		case JSONBOID:
			return from == to;
		default:
			return false;
	}
}

/* Whether an operand can be evaluated before the scan, again and again. */
static bool
proven_operand(Expr *operand, Index relid)
{
	return !has_column((Node *) operand, &relid) &&
		!contain_volatile_functions((Node *) operand) &&
		!contain_subplans((Node *) operand);
}

static bool
judge_operator(OpExpr *clause, Index relid, Bound *bound)
{
	Node	   *left,
			   *right;
	Oid			opno = clause->opno,
				type,
				left_type,
				right_type;

	if (list_length(clause->args) != 2)
		return false;
	left = linitial(clause->args);
	right = lsecond(clause->args);
	bound->column = plain_column(left, relid, &type);
	if (bound->column == NULL)
	{
		Node	   *swap = left;

		left = right;
		right = swap;
		opno = get_commutator(opno);
		bound->column = plain_column(left, relid, &type);
	}
	if (bound->column == NULL || !OidIsValid(opno) ||
		!proven_operator(opno, clause->inputcollid))
		return false;
	op_input_types(opno, &left_type, &right_type);
	if (left_type != type || right_type != exprType(right) ||
		!proven_type(left_type, right_type, &bound->conversion))
		return false;
	bound->opno = opno;
	bound->operand = (Expr *) right;
	bound->type = bound->conversion == AS_IT_IS ? right_type :
		bound->conversion == INT4_TO_INT8 ? INT8OID : TEXTOID;
	return proven_operand(bound->operand, relid);
}

/* = ANY and <> ALL; of the others Multicorn cannot tell what they mean. */
static bool
judge_array(ScalarArrayOpExpr *clause, Index relid, Bound *bound)
{
	Oid			type,
				left_type,
				right_type;
	char	   *name;

	bound->column = plain_column(linitial(clause->args), relid, &type);
	if (bound->column == NULL || !proven_operator(clause->opno, clause->inputcollid))
		return false;
	name = get_opname(clause->opno);
	if (name == NULL || strcmp(name, clause->useOr ? "=" : "<>") != 0)
		return false;
	op_input_types(clause->opno, &left_type, &right_type);
	bound->operand = (Expr *) lsecond(clause->args);
	bound->type = exprType((Node *) bound->operand);
	if (left_type != type || right_type != get_element_type(bound->type) ||
		!proven_type(left_type, right_type, &bound->conversion) ||
		bound->conversion != AS_IT_IS)
		return false;
	bound->opno = clause->opno;
	bound->is_array = true;
	bound->use_or = clause->useOr;
	return proven_operand(bound->operand, relid);
}

/* column IS [NOT] NULL */
static bool
judge_null(Node *column, NullTestType test, Index relid, Bound *bound)
{
	Oid			type;

	bound->column = plain_column(column, relid, &type);
	bound->nulltest = test;
	return bound->column != NULL && IsA(column, Var);
}

/* A boolean column as a condition of its own: column = value. */
static bool
judge_boolean(Node *column, bool value, Index relid, Bound *bound)
{
	bound->column = plain_column(column, relid, &bound->type);
	bound->opno = BooleanEqualOperator;
	bound->operand = (Expr *) makeBoolConst(value, false);
	return bound->column != NULL && bound->type == BOOLOID;
}

/*
 * Whether a clause is proven: whether a row for which it is true has a column
 * value that fulfils *bound.  Forms that Multicorn's versions treat each in
 * its own way are brought to the one that all read alike.
 */
static bool
judge(Expr *clause, Index relid, Bound *bound)
{
	memset(bound, 0, sizeof(*bound));
	bound->clause = clause;
	switch (nodeTag(clause))
	{
		case T_OpExpr:
			return judge_operator((OpExpr *) clause, relid, bound);
		case T_ScalarArrayOpExpr:
			return judge_array((ScalarArrayOpExpr *) clause, relid, bound);
		case T_NullTest:
			return judge_null((Node *) ((NullTest *) clause)->arg,
							  ((NullTest *) clause)->nulltesttype, relid, bound);
		case T_Var:
			return judge_boolean((Node *) clause, true, relid, bound);
		case T_BoolExpr:
			return ((BoolExpr *) clause)->boolop == NOT_EXPR &&
				judge_boolean(linitial(((BoolExpr *) clause)->args), false, relid, bound);
		case T_BooleanTest:
			{
				BooleanTest *test = (BooleanTest *) clause;

				switch (test->booltesttype)
				{
					case IS_TRUE:
						return judge_boolean((Node *) test->arg, true, relid, bound);
					case IS_FALSE:
						return judge_boolean((Node *) test->arg, false, relid, bound);
					case IS_UNKNOWN:
						return judge_null((Node *) test->arg, IS_NULL, relid, bound);
					case IS_NOT_UNKNOWN:
						return judge_null((Node *) test->arg, IS_NOT_NULL, relid, bound);
					default:
						return false;	/* lets NULL through */
				}
			}
		default:
			return false;
	}
}

/* Whether a bound gives the values of the column. */
static bool
gives_values(Bound *bound)
{
	return bound->operand != NULL && (!bound->is_array || bound->use_or) &&
		strcmp(get_opname(bound->opno), "=") == 0;
}

static List *proven_bounds(Expr *clause, Index relid);

/* The values that a bound gives, as expressions; NIL when their number is not known. */
static List *
given_values(Bound *bound)
{
	List	   *values = NIL;
	Const	   *array = (Const *) bound->operand;
	Oid			element = get_element_type(bound->type);
	int16		length;
	bool		byval;
	char		align;
	Datum	   *datums;
	bool	   *nulls;
	int			count;

	if (!bound->is_array)
		return list_make1(bound->operand);
	if (IsA(bound->operand, ArrayExpr) && !((ArrayExpr *) bound->operand)->multidims)
		return list_copy(((ArrayExpr *) bound->operand)->elements);
	if (!IsA(array, Const) || array->constisnull)
		return NIL;
	get_typlenbyvalalign(element, &length, &byval, &align);
	deconstruct_array(DatumGetArrayTypeP(array->constvalue), element, length, byval, align,
					  &datums, &nulls, &count);
	for (int number = 0; number < count; number++)
		values = lappend(values, makeConst(element, -1, get_typcollation(element), length,
										   datums[number], nulls[number], byval));
	return values;
}

/* The values that an arm of an OR gives of a column, NIL when it gives none. */
static List *
arm_values(Expr *arm, Index relid, Bound *like)
{
	List	   *conditions = is_andclause(arm) ? ((BoolExpr *) arm)->args : list_make1(arm);
	ListCell   *cell,
			   *found;

	foreach(cell, conditions)
	{
		foreach(found, proven_bounds(lfirst(cell), relid))
		{
			Bound	   *bound = lfirst(found);

			if (bound->column->varattno == like->column->varattno && gives_values(bound) &&
				bound->opno == like->opno && bound->conversion == AS_IT_IS)
				return given_values(bound);
		}
	}
	return NIL;
}

/*
 * The bounds of an OR: column = ANY (ARRAY[...]) for each column of which every
 * arm gives values.  Row values in a list come as an OR, too.
 */
static List *
judge_or(BoolExpr *clause, Index relid)
{
	Expr	   *first = linitial(clause->args);
	List	   *conditions = is_andclause(first) ? ((BoolExpr *) first)->args : list_make1(first);
	List	   *bounds = NIL;
	ListCell   *cell,
			   *found,
			   *arm;

	foreach(cell, conditions)
	{
		foreach(found, proven_bounds(lfirst(cell), relid))
		{
			Bound	   *bound = lfirst(found);
			ArrayExpr  *array = makeNode(ArrayExpr);

			if (!gives_values(bound) || bound->conversion != AS_IT_IS)
				continue;
			array->element_typeid = bound->is_array ? get_element_type(bound->type) : bound->type;
			array->array_typeid = get_array_type(array->element_typeid);
			array->array_collid = get_typcollation(array->element_typeid);
			array->location = -1;
			foreach(arm, clause->args)
			{
				List	   *values = arm_values(lfirst(arm), relid, bound);

				if (values == NIL)
					break;
				array->elements = list_concat(array->elements, values);
			}
			if (arm != NULL)
				continue;
			bound->clause = (Expr *) clause;
			bound->is_array = bound->use_or = true;
			bound->operand = (Expr *) array;
			bound->type = array->array_typeid;
			bounds = lappend(bounds, bound);
		}
	}
	return bounds;
}

/* The bounds that a clause proves: one, one for each column of an OR, or none. */
static List *
proven_bounds(Expr *clause, Index relid)
{
	Bound	   *bound;

	check_stack_depth();
	if (is_orclause(clause))
		return judge_or((BoolExpr *) clause, relid);
	bound = palloc(sizeof(Bound));
	return judge(clause, relid, bound) ? list_make1(bound) : NIL;
}

/* Whether one of these clauses gives the values of a column. */
static bool
values_given(List *clauses, Index relid, AttrNumber column)
{
	ListCell   *cell,
			   *found;

	foreach(cell, clauses)
	{
		Node	   *clause = lfirst(cell);

		if (IsA(clause, RestrictInfo))
			clause = (Node *) ((RestrictInfo *) clause)->clause;
		foreach(found, proven_bounds((Expr *) clause, relid))
		{
			Bound	   *bound = lfirst(found);

			if (bound->column->varattno == column && gives_values(bound))
				return true;
		}
	}
	return false;
}


/* ------------------------------------------------------------------------
 * What Multicorn gets to see of a clause
 * ------------------------------------------------------------------------
 */

/* An instant as text that reads the same in every session: ISO, UTC. */
static Datum
utc_text(TimestampTz instant)
{
	char		buffer[MAXDATELEN + 1];
	struct pg_tm tm;
	fsec_t		fsec;

	if (TIMESTAMP_NOT_FINITE(instant))
		EncodeSpecialTimestamp(instant, buffer);
	else
	{
		if (timestamp2tm(instant, NULL, &tm, &fsec, NULL, NULL) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("timestamp out of range")));
		tm.tm_isdst = 0;
		EncodeDateTime(&tm, fsec, true, 0, NULL, USE_ISO_DATES, buffer);
	}
	return CStringGetTextDatum(buffer);
}

/*
 * A value of an operand's type as it is handed over.  Dates and timestamps
 * are taken in the session's time zone and, when too large, as infinity, as
 * the operators that compare them with a timestamptz do.
 */
static Datum
convert(Datum value, Conversion conversion)
{
	int			overflow = 0;

	switch (conversion)
	{
		case INT4_TO_INT8:
			return Int64GetDatum(DatumGetInt32(value));
		case NAME_TO_TEXT:
			return CStringGetTextDatum(NameStr(*DatumGetName(value)));
		case DATE_TO_TEXT:
			return utc_text(date2timestamptz_opt_overflow(DatumGetDateADT(value), &overflow));
		case TIMESTAMP_TO_TEXT:
			return utc_text(timestamp2timestamptz_opt_overflow(DatumGetTimestamp(value),
															   &overflow));
		case TIMESTAMPTZ_TO_TEXT:
			return utc_text(DatumGetTimestampTz(value));
		default:
			return value;
	}
}

/* A value that is not NULL, of the operand's type, as a constant to hand over. */
static Expr *
constant(Bound *bound, Datum value)
{
	int16		length;
	bool		byval;

	get_typlenbyval(bound->type, &length, &byval);
	return (Expr *) makeConst(bound->type, -1, get_typcollation(bound->type), length,
							  convert(value, bound->conversion), false, byval);
}

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


/* ------------------------------------------------------------------------
 * Planning
 * ------------------------------------------------------------------------
 */

/*
 * The numbers of the columns of a table that its scan has to deliver or to
 * check; all of them where the whole row is asked for.
 */
static List *
wanted_columns(RelOptInfo *rel, Oid table, List *restrictinfos)
{
	Relation	relation = table_open(table, NoLock);
	TupleDesc	layout = RelationGetDescr(relation);
	Bitmapset  *found = NULL;
	List	   *columns = NIL;
	ListCell   *cell;
	bool		whole_row;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &found);
	foreach(cell, restrictinfos)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, cell)->clause, rel->relid, &found);
	whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, found);
	for (int column = 1; column <= layout->natts; column++)
	{
		if (!TupleDescAttr(layout, column - 1)->attisdropped &&
			(whole_row || bms_is_member(column - FirstLowInvalidHeapAttributeNumber, found)))
			columns = lappend_int(columns, column);
	}
	table_close(relation, NoLock);
	return columns;
}

/*
 * The clauses on one table that are proven and whose operands have a value
 * when planning.  *valued gets the columns that will have given values when
 * the scan starts, *constant those that have them now.
 */
static List *
planning_clauses(PlannerInfo *root, RelOptInfo *rel, Bitmapset **valued, Bitmapset **fixed)
{
	List	   *clauses = NIL;
	ListCell   *cell,
			   *found;

	foreach(cell, rel->baserestrictinfo)
	{
		foreach(found, proven_bounds(lfirst_node(RestrictInfo, cell)->clause, rel->relid))
		{
			RestrictInfo *restriction = palloc(sizeof(RestrictInfo));
			Bound	   *bound = lfirst(found);
			Expr	   *value = NULL;

			*restriction = *lfirst_node(RestrictInfo, cell);
			if (gives_values(bound))
				*valued = bms_add_member(*valued, bound->column->varattno);
			if (bound->operand)
			{
				value = (Expr *) estimate_expression_value(root, (Node *) bound->operand);
				if (!IsA(value, Const) || ((Const *) value)->constisnull)
					continue;
				value = constant(bound, ((Const *) value)->constvalue);
			}
			if (gives_values(bound))
				*fixed = bms_add_member(*fixed, bound->column->varattno);
			restriction->clause = multicorn_clause(bound, value);
			clauses = lappend(clauses, restriction);
		}
	}
	return clauses;
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

/* Note the wanted columns that choose what is read, of those that no clause gives a value. */
static void
note_choices(TablePlan *plan, Oid table, List *wanted, Bitmapset *valued)
{
	for (int number = 0; number < nchoices; number++)
	{
		char	   *name = NameStr(choices[number].column);
		AttrNumber	column = get_attnum(table, name);

		if (!list_member_int(wanted, column) || bms_is_member(column, valued))
			continue;
		plan->choices = lappend_int(plan->choices, column);
		plan->marks = lappend(plan->marks,
							  psprintf("%s%s", choices[number].nullable ? MARK_NULLABLE : MARK_CHOICE,
									   name));
	}
}

/* Ask Python for the size, showing it the proven clauses and all wanted columns. */
static void
ctGetForeignRelSize(PlannerInfo *root, RelOptInfo *rel, Oid table)
{
	TablePlan  *plan = palloc0(sizeof(TablePlan));
	List	   *clauses = rel->baserestrictinfo;
	List	   *exprs = rel->reltarget->exprs;
	List	   *wanted = wanted_columns(rel, table, clauses);
	List	   *columns = NIL;
	Bitmapset  *valued = NULL,
			   *fixed = NULL;
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
	namestrcpy(&key_column, "");
	nchoices = 0;
	rel->baserestrictinfo = planning_clauses(root, rel, &valued, &fixed);
	rel->reltarget->exprs = columns;
	namestrcpy(&table_name, get_rel_name(table));
	CALL_MULTICORN(multicorn->GetForeignRelSize(root, rel, table),
				   (rel->baserestrictinfo = clauses, rel->reltarget->exprs = exprs));

	plan->multicorn = rel->fdw_private;
	plan->key = get_attnum(table, NameStr(key_column));
	plan->has_key = plan->key > 0 && bms_is_member(plan->key, valued);
	if (plan->has_key && !bms_is_member(plan->key, fixed))
		rel->rows = Min(rel->rows, RUNTIME_KEYS);
	note_choices(plan, table, wanted, valued);
	rel->fdw_private = plan;
}

/*
 * Whether Multicorn may be asked for a sorted path.  Only a LIMIT is better
 * served by one: it costs as much as the unsorted one, and the source may
 * have to be read in order for it.  Of a sort key that is not a plain column
 * Multicorn looks up a name that there may not be.
 */
static bool
sort_wanted(PlannerInfo *root, RelOptInfo *rel)
{
	ListCell   *cell,
			   *member;

	if (root->limit_tuples <= 0)
		return false;
	foreach(cell, root->query_pathkeys)
	{
		foreach(member, lfirst_node(PathKey, cell)->pk_eclass->ec_members)
		{
			EquivalenceMember *found = lfirst_node(EquivalenceMember, member);

			if (bms_equal(found->em_relids, rel->relids) &&
				!(IsA(found->em_expr, Var) && ((Var *) found->em_expr)->varattno > 0))
				return false;
		}
	}
	return true;
}

/*
 * Add a path; "disabled" makes it the last resort, even where a setting such
 * as enable_nestloop disables what its alternatives need.
 */
static void
add_scan_path(PlannerInfo *root, RelOptInfo *rel, double rows, bool disabled, Cost startup,
			  Cost total, List *pathkeys, Relids outer, List *fdw_private)
{
#if PG_VERSION_NUM < 180000
	if (disabled)
	{
		startup += disable_cost * LAST_RESORT;
		total += disable_cost * LAST_RESORT;
	}
#endif
	add_path(rel, (Path *) create_foreignscan_path(root, rel, NULL, rows,
#if PG_VERSION_NUM >= 180000
												   disabled ? LAST_RESORT : 0,
#endif
												   startup, total, pathkeys, outer, NULL,
#if PG_VERSION_NUM >= 170000
												   NIL,
#endif
												   fdw_private));
}

/* Whether a list of sets has this one; before PostgreSQL 16 no node, for list_member() to compare. */
static bool
has_relids(List *sets, Relids wanted)
{
	ListCell   *cell;

	foreach(cell, sets)
	{
		if (bms_equal(lfirst(cell), wanted))
			return true;
	}
	return false;
}

/* For generate_implied_equalities_for_column: is this member the column? */
static bool
is_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec, EquivalenceMember *member,
		  void *wanted)
{
	Oid			type;
	Var		   *column = plain_column((Node *) member->em_expr, rel->relid, &type);

	return column != NULL && column->varattno == *(AttrNumber *) wanted;
}

/*
 * Whether an operand is a column of another of our tables that chooses what is
 * read there, and has no value either: it tells nothing.
 */
static bool
is_undecided(PlannerInfo *root, RelOptInfo *rel, Expr *operand)
{
	Var		   *column = (Var *) operand;
	RelOptInfo *other;

	if (!IsA(column, Var) || column->varlevelsup != 0 || (int) column->varno >= root->simple_rel_array_size)
		return false;
	other = root->simple_rel_array[column->varno];
	return other && other->fdwroutine &&
		other->fdwroutine->GetForeignRelSize == rel->fdwroutine->GetForeignRelSize &&
		other->fdw_private &&
		list_member_int(((TablePlan *) other->fdw_private)->choices, column->varattno);
}

/*
 * The sets of other tables whose columns give a column its values, each with
 * one row's values at a time; *array, whether some give a list of them.
 */
static List *
giving_tables(PlannerInfo *root, RelOptInfo *rel, AttrNumber column, bool *array)
{
	List	   *joins = list_copy(rel->joininfo);
	List	   *outers = NIL;
	ListCell   *cell,
			   *found;

	if (rel->has_eclass_joins)
		joins = list_concat(joins,
							generate_implied_equalities_for_column(root, rel, is_column, &column,
																   rel->lateral_referencers));
	foreach(cell, joins)
	{
		RestrictInfo *join = lfirst_node(RestrictInfo, cell);
		Relids		outer;

		if (!join_clause_is_movable_to(join, rel))
			continue;
		outer = bms_del_member(bms_union(join->clause_relids, rel->lateral_relids), rel->relid);
		foreach(found, proven_bounds(join->clause, rel->relid))
		{
			Bound	   *bound = lfirst(found);

			if (bound->column->varattno != column || !gives_values(bound) ||
				bms_is_empty(outer) || has_relids(outers, outer) ||
				is_undecided(root, rel, bound->operand))
				continue;
			*array |= bound->is_array;
			outers = lappend(outers, outer);
		}
	}
	return outers;
}

/* Every union of one set of each list. */
static List *
unions(List *sets, List *others)
{
	List	   *all = NIL;
	ListCell   *one,
			   *other;

	foreach(one, sets)
	{
		foreach(other, others)
		{
			Relids		both = bms_union(lfirst(one), lfirst(other));

			if (!has_relids(all, both) && list_length(all) < MOST_OUTERS)
				all = lappend(all, both);
		}
	}
	return all;
}

/*
 * The sets of other tables that give values to the key and to all columns that
 * choose what is read and are joined to others; *joined, whether there is such
 * a column besides the key; *rows, how many to expect of each.
 */
static List *
outer_sets(PlannerInfo *root, RelOptInfo *rel, TablePlan *plan, bool *joined, double *rows)
{
	List	   *sets = NIL;
	ListCell   *cell;
	bool		array = false;

	if (plan->key > 0)
	{
		sets = giving_tables(root, rel, plan->key, &array);
		*rows = array ? RUNTIME_KEYS : 1;
	}
	foreach(cell, plan->choices)
	{
		List	   *givers = giving_tables(root, rel, lfirst_int(cell), &array);

		if (givers == NIL)
			continue;
		*joined = true;
		sets = sets ? unions(sets, givers) : givers;
	}
	return sets;
}

/*
 * Let Multicorn make its paths, and make them again: with the clauses that
 * the planner says belong to a parameterized path, with LATERAL references,
 * and so that no table is read without its key when there is another way.
 */
static void
ctGetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid table)
{
	TablePlan  *plan = rel->fdw_private;
	List	   *pathkeys = root->query_pathkeys;
	List	   *eq_classes = root->eq_classes;
	List	   *left_joins = root->left_join_clauses;
	List	   *right_joins = root->right_join_clauses;
	Relids		lateral = rel->lateral_relids;
	List	   *made,
			   *outers;
	ListCell   *cell,
			   *outer;
	double		rows = rel->rows;
	bool		joined = false;
	bool		disabled;

	if (!sort_wanted(root, rel))
		root->query_pathkeys = NIL;
	/* of use for parameterized paths only; from PostgreSQL 16 on it cannot compare the latter two */
	root->eq_classes = root->left_join_clauses = root->right_join_clauses = NIL;
	rel->lateral_relids = NULL; /* which its paths do not take into account */
	rel->fdw_private = plan->multicorn;
	CALL_MULTICORN(multicorn->GetForeignPaths(root, rel, table),
				   (root->query_pathkeys = pathkeys, root->eq_classes = eq_classes,
					root->left_join_clauses = left_joins, root->right_join_clauses = right_joins,
					rel->lateral_relids = lateral, rel->fdw_private = plan));
	made = rel->pathlist;
	rel->pathlist = NIL;
	outers = outer_sets(root, rel, plan, &joined, &rows);
	disabled = joined || (plan->key > 0 && !plan->has_key);
	foreach(cell, made)
	{
		ForeignPath *path = lfirst_node(ForeignPath, cell);

		if (path->path.param_info != NULL)
			continue;
		add_scan_path(root, rel, rel->rows, disabled, path->path.startup_cost,
					  Max(path->path.total_cost, path->path.startup_cost), path->path.pathkeys,
					  rel->lateral_relids, path->fdw_private);
		if (path->path.pathkeys != NIL)
			continue;
		foreach(outer, outers)
			add_scan_path(root, rel, rows, false, path->path.startup_cost,
						  path->path.startup_cost + rows * rel->reltarget->width, NIL,
						  lfirst(outer), NIL);
	}
}

/*
 * Let Multicorn make the plan, without clauses: it would copy them and warn
 * of those it does not know.  BeginForeignScan takes them from plan.qual.
 */
static ForeignScan *
ctGetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid table, ForeignPath *path, List *tlist,
				 List *clauses, Plan *outer_plan)
{
	TablePlan  *plan = rel->fdw_private;
	ForeignScan *volatile scan = NULL;
	List	   *names = NIL;
	ListCell   *cell,
			   *mark;

	rel->fdw_private = plan->multicorn;
	CALL_MULTICORN(scan = multicorn->GetForeignPlan(root, rel, table, path, tlist, NIL, outer_plan),
				   rel->fdw_private = plan);
	scan->scan.plan.qual = extract_actual_clauses(clauses, false);
	scan->fdw_exprs = NIL;
	forboth(cell, plan->choices, mark, plan->marks)
	{
		if (!values_given(clauses, rel->relid, lfirst_int(cell)))
			names = lappend(names, makeString(lfirst(mark)));
	}

	foreach(cell, wanted_columns(rel, table, clauses))
		names = lappend(names, makeString(get_attname(table, lfirst_int(cell), false)));
	lfirst(list_nth_cell(scan->fdw_private, PRIVATE_COLUMNS)) = names;

	/* A PathKey does not outlive planning, and the scan does not need it. */
	foreach(cell, (List *) list_nth(scan->fdw_private, PRIVATE_SORT))
		lfirst(list_nth_cell((List *) lfirst(cell), SORT_PATHKEY)) = NULL;
	return scan;
}

static List *
ctImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid server)
{
	List	   *volatile statements = NIL;

	CALL_MULTICORN(statements = multicorn->ImportForeignSchema(stmt, server), (void) 0);
	return statements;
}


/* ------------------------------------------------------------------------
 * Rows that come packed
 * ------------------------------------------------------------------------
 */

static void
damaged(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("cloudtrail_fdw handed over rows that cannot be read"),
			 errhint("Run cloudtrail-fdw install again and connect anew; if that does not help, report it.")));
}

/* Step over the next "size" bytes. */
static const unsigned char *
packed_bytes(TableScan *scan, size_t size)
{
	const char *here = scan->next;

	if ((size_t) (scan->end - here) < size)
		damaged();
	scan->next = here + size;
	return (const unsigned char *) here;
}

/* The length that "size" bytes tell, the highest first. */
static uint32
packed_length(TableScan *scan, int size)
{
	const unsigned char *bytes = packed_bytes(scan, size);
	uint32		length = 0;

	while (size-- > 0)
		length = length << 8 | *bytes++;
	return length;
}

/* The number of elements of the array that begins here. */
static uint32
packed_array(TableScan *scan)
{
	int			kind = *packed_bytes(scan, 1);

	if ((kind & 0xf0) == 0x90)
		return kind & 0x0f;
	if (kind != 0xdc && kind != 0xdd)
		damaged();
	return packed_length(scan, kind == 0xdc ? 2 : 4);
}

/* A text as a value of a column; "length" bytes of UTF-8. */
static Datum
column_value(PackedColumn *column, const char *bytes, uint32 length)
{
	char	   *string;

	if (memchr(bytes, 0, length) != NULL)
		damaged();
	if (column->type == TEXTOID && GetDatabaseEncoding() == PG_UTF8)
		return PointerGetDatum(cstring_to_text_with_len(bytes, length));
	string = pnstrdup(bytes, length);
	string = pg_any_to_server(string, length, PG_UTF8);
	return InputFunctionCall(&column->input, string, column->ioparam, column->typmod);
}

/* Fill the next value of a row. */
static void
packed_value(TableScan *scan, PackedColumn *column, TupleTableSlot *slot)
{
	int			kind = *packed_bytes(scan, 1);
	uint32		length = 0;

	if (kind == 0xc0)
		return;
	slot->tts_isnull[column->place] = false;
	if (kind == 0xc2 || kind == 0xc3)
	{
		slot->tts_values[column->place] = column->type == BOOLOID ? BoolGetDatum(kind == 0xc3) :
			column_value(column, kind == 0xc3 ? "true" : "false", kind == 0xc3 ? 4 : 5);
		return;
	}
	if ((kind & 0xe0) == 0xa0)
		length = kind & 0x1f;
	else if (kind >= 0xd9 && kind <= 0xdb)
		length = packed_length(scan, 1 << (kind - 0xd9));
	else
		damaged();
	slot->tts_values[column->place] =
		column_value(column, (const char *) packed_bytes(scan, length), length);
}

/* The next packed row, in the memory of one row, which is the current one. */
static TupleTableSlot *
packed_row(TableScan *scan)
{
	TupleTableSlot *slot = scan->node->ss.ss_ScanTupleSlot;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	if (packed_array(scan) != (uint32) scan->ncolumns)
		damaged();
	for (int number = 0; number < scan->ncolumns; number++)
		packed_value(scan, &scan->columns[number], slot);
	scan->rows--;
	return ExecStoreVirtualTuple(slot);
}

/* The wanted columns of a scan, in the order of the table. */
static void
find_packed_columns(TableScan *scan)
{
	ForeignScan *plan = (ForeignScan *) scan->node->ss.ps.plan;
	List	   *names = list_nth(plan->fdw_private, PRIVATE_COLUMNS);
	TupleDesc	layout = scan->node->ss.ss_ScanTupleSlot->tts_tupleDescriptor;
	MemoryContext memory = scan->node->ss.ps.state->es_query_cxt;
	ListCell   *cell;

	scan->columns = MemoryContextAllocZero(memory, (layout->natts + 1) * sizeof(PackedColumn));
	for (int place = 0; place < layout->natts; place++)
	{
		Form_pg_attribute attribute = TupleDescAttr(layout, place);
		PackedColumn *column = &scan->columns[scan->ncolumns];
		Oid			input;

		if (attribute->attisdropped)
			continue;
		foreach(cell, names)
		{
			if (strcmp(strVal(lfirst(cell)), NameStr(attribute->attname)) != 0)
				continue;
			column->place = place;
			column->type = attribute->atttypid;
			column->typmod = attribute->atttypmod;
			getTypeInputInfo(column->type, &input, &column->ioparam);
			fmgr_info_cxt(input, &column->input, memory);
			scan->ncolumns++;
			break;
		}
	}
}

/* Let go of packed rows. */
static void
drop_packed(TableScan *scan)
{
	free(scan->packed);
	scan->packed = NULL;
	scan->rows = 0;
}

/* Take over the rows that Python handed over, one at least. */
static void
take_packed(TableScan *scan)
{
	drop_packed(scan);
	scan->packed = handed.rows;
	handed.rows = NULL;
	scan->next = scan->packed;
	scan->end = scan->packed + handed.length;
	if (scan->columns == NULL)
		find_packed_columns(scan);
	scan->rows = packed_array(scan);
	if (scan->rows == 0)
		damaged();
}


/* ------------------------------------------------------------------------
 * Rows of keys that were asked for before
 * ------------------------------------------------------------------------
 */

/* The value of the only operand, if that is what selects a row; else NULL. */
static text *
scan_key(TableScan *scan)
{
	if (list_length(scan->operands) != 1 || scan->params->params[0].ptype != TEXTOID)
		return NULL;
	return DatumGetTextPP(scan->params->params[0].value);
}

static uint32
hash_key(text *key)
{
	return DatumGetUInt32(hash_any((unsigned char *) VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)));
}

static bool
same_key(text *one, text *other)
{
	return VARSIZE_ANY_EXHDR(one) == VARSIZE_ANY_EXHDR(other) &&
		memcmp(VARDATA_ANY(one), VARDATA_ANY(other), VARSIZE_ANY_EXHDR(one)) == 0;
}

/* The row that Python gave for this key before, NULL when it did not. */
static HeapTuple
known_row(TableScan *scan)
{
	text	   *key = scan->known ? scan_key(scan) : NULL;
	KeyedRow   *found;
	uint32		hash;

	if (key == NULL)
		return NULL;
	hash = hash_key(key);
	found = hash_search(scan->known, &hash, HASH_FIND, NULL);
	return found && same_key(found->key, key) ? found->row : NULL;
}

/* Remember the row in the slot; all that is known is forgotten at work_mem. */
static void
remember_row(TableScan *scan, TupleTableSlot *slot)
{
	text	   *key = scan_key(scan);
	MemoryContext before;
	KeyedRow   *entry;
	uint32		hash;

	if (key == NULL)
		return;
	if (scan->known && MemoryContextMemAllocated(scan->memory, true) > work_mem * (Size) 1024)
	{
		scan->known = NULL;
		MemoryContextDelete(scan->memory);
	}
	if (scan->known == NULL)
	{
		HASHCTL		how = {.keysize = sizeof(uint32), .entrysize = sizeof(KeyedRow)};

		/* not the macro, whose check of a constant name tcc does not understand */
		scan->memory = AllocSetContextCreateInternal(scan->node->ss.ps.state->es_query_cxt,
													 "cloudtrail_fdw known rows",
													 ALLOCSET_DEFAULT_SIZES);
		how.hcxt = scan->memory;
		scan->known = hash_create("cloudtrail_fdw known rows", 256, &how,
								  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	before = MemoryContextSwitchTo(scan->memory);
	hash = hash_key(key);
	entry = hash_search(scan->known, &hash, HASH_ENTER, NULL);
	entry->key = (text *) DatumGetPointer(datumCopy(PointerGetDatum(key), false, -1));
	entry->row = ExecCopySlotHeapTuple(slot);
	MemoryContextSwitchTo(before);
}


/* ------------------------------------------------------------------------
 * Where a scan stands in its query
 * ------------------------------------------------------------------------
 */

/* For find_ancestors: the SubPlans in an expression. */
static bool
collect_subplans(Node *node, List **found)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubPlan))
		*found = lappend(*found, node);
	return expression_tree_walker(node, collect_subplans, found);
}

/*
 * Find a plan node below "here": *ancestors becomes what
 * set_deparse_context_plan wants, the nodes above it, the nearest first.
 * Subplans in expressions of other places than the usual are not found;
 * their parameters are then printed as $n.
 */
static bool
find_ancestors(Plan *here, Plan *wanted, List *plans, List *above, List **ancestors)
{
	List	   *children,
			   *subplans;
	ListCell   *cell;

	if (here == NULL)
		return false;
	check_stack_depth();
	if (here == wanted)
	{
		*ancestors = above;
		return true;
	}
	above = lcons(here, list_copy(above));
	children = list_make2(here->lefttree, here->righttree);
	if (IsA(here, Append))
		children = list_concat(children, list_copy(((Append *) here)->appendplans));
	else if (IsA(here, MergeAppend))
		children = list_concat(children, list_copy(((MergeAppend *) here)->mergeplans));
	else if (IsA(here, SubqueryScan))
		children = lappend(children, ((SubqueryScan *) here)->subplan);
#if PG_VERSION_NUM < 140000
	else if (IsA(here, ModifyTable))
		children = list_concat(children, list_copy(((ModifyTable *) here)->plans));
#endif
	foreach(cell, children)
	{
		if (find_ancestors(lfirst(cell), wanted, plans, above, ancestors))
			return true;
	}
	subplans = list_copy(here->initPlan);
	collect_subplans((Node *) here->targetlist, &subplans);
	collect_subplans((Node *) here->qual, &subplans);
	if (IsA(here, NestLoop) || IsA(here, MergeJoin) || IsA(here, HashJoin))
		collect_subplans((Node *) ((Join *) here)->joinqual, &subplans);
	if (IsA(here, Result))
		collect_subplans(((Result *) here)->resconstantqual, &subplans);
	foreach(cell, subplans)
	{
		SubPlan    *subplan = lfirst_node(SubPlan, cell);

		if (find_ancestors(list_nth(plans, subplan->plan_id - 1), wanted, plans,
						   lcons(subplan, list_copy(above)), ancestors))
			return true;
	}
	return false;
}

/* Whether a plan node reads all of its input before it gives its first row. */
static bool
reads_all_first(Plan *plan)
{
	return IsA(plan, Sort) || IsA(plan, Hash) ||
		(IsA(plan, Agg) && (((Agg *) plan)->aggstrategy == AGG_PLAIN ||
							((Agg *) plan)->aggstrategy == AGG_HASHED));
}

/*
 * Whether a plan node may be done before its input is: a LIMIT, a window with
 * a condition to stop at, a join that is content with the first match, a hash
 * join that finds nothing to join to.
 */
static bool
may_stop(Plan *plan, Plan *input)
{
	Join	   *join = (Join *) plan;

	if (IsA(plan, HashJoin))
		return plan->lefttree == input && join->jointype != JOIN_LEFT &&
			join->jointype != JOIN_FULL && join->jointype != JOIN_ANTI;
	if (IsA(plan, NestLoop) || IsA(plan, MergeJoin))
		return plan->lefttree != input &&
			(join->inner_unique || join->jointype == JOIN_SEMI || join->jointype == JOIN_ANTI);
	return IsA(plan, WindowAgg) || (IsA(plan, Limit) && ((Limit *) plan)->limitCount != NULL);
}

/*
 * How many of its rows a plan node will be asked for.  A CTE may have several
 * readers, and a scalar subquery is not read beyond its second row.
 */
static Reading
judge_reading(PlannedStmt *query, Plan *plan)
{
	List	   *ancestors = NIL;
	ListCell   *cell;

	if (!find_ancestors(query->planTree, plan, query->subplans, NIL, &ancestors))
		return SOME_ROWS;
	foreach(cell, ancestors)
	{
		Plan	   *above = lfirst(cell);

		if (IsA(above, SubPlan))
		{
			SubPlan    *subplan = (SubPlan *) above;

			return subplan->useHashTable || subplan->subLinkType == ARRAY_SUBLINK ?
				ALL_ROWS : SOME_ROWS;
		}
		if (reads_all_first(above))
			return ALL_ROWS;
		if (may_stop(above, plan))
			return SOME_ROWS;
		plan = above;
	}
	return ROWS_OF_QUERY;
}

/*
 * An ExecutorRun_hook: what has no LIMIT may still be asked for a few rows at
 * a time, as cursors, drivers, PL/pgSQL and SQL functions do.
 */
#if PG_VERSION_NUM >= 180000
static void
note_run(QueryDesc *query, ScanDirection direction, uint64 count)
#define RUN_ARGUMENTS	query, direction, count
#else
static void
note_run(QueryDesc *query, ScanDirection direction, uint64 count, bool once)
#define RUN_ARGUMENTS	query, direction, count, once
#endif
{
	bool		before = whole_run;

	whole_run = count == 0;
	PG_TRY();
	{
		(next_run_hook ? next_run_hook : standard_ExecutorRun) (RUN_ARGUMENTS);
	}
	PG_FINALLY();
	{
		whole_run = before;
	}
	PG_END_TRY();
}


/* ------------------------------------------------------------------------
 * Conditions on columns that choose what is read
 *
 * Some columns choose what is read: a log group, a filter pattern.  Without a
 * value the table gives what it gives by default.  A condition on such a
 * column that does not tell its values when the scan starts (OR with other
 * columns, a function of it, LIKE, a hash join, a filter above a CTE) would
 * be checked by PostgreSQL on rows of the default alone.  So the finished
 * plan is searched for what the column's values lead to.  What only shows
 * them, or something about them, is no condition: a select list, the rows
 * that an outer join adds.
 * ------------------------------------------------------------------------
 */

/* Columns of a row, by number. */
typedef struct Carried
{
	Bitmapset  *own;			/* depend on the column */
	Bitmapset  *row;			/* have the scan's whole row in them */
	Bitmapset  *tests;			/* are made by a test of it */
	Bitmapset  *kin;			/* are values of the column, of this or another such scan */
} Carried;

/* The search for one column of one scan. */
typedef struct Search
{
	PlannedStmt *query;
	ForeignScan *scan;
	Oid			wrapper;		/* the scan's foreign-data wrapper */
	AttrNumber	column;
	char	   *name;			/* of the column */
	bool		nullable;
	Carried	   *results;		/* of each subplan */
	Carried		worktable;		/* of a recursive query */
	Carried		row_params;		/* parameters with values of an outer row */
	Carried		result_params;	/* parameters with results of subplans */
	bool		grown;			/* since the last look at the whole plan */
	bool		found;			/* a condition */
	/* Where columns of expressions come from; of a scan, its rows. */
	Carried		outer;
	Carried		inner;
	Carried		rows;
	Index		relid;			/* whose rows these are */
	bool		whole_row;		/* an expression has the whole row of the scan */
	bool		params_too;		/* values of outer rows count, too */
} Search;

static Carried search_plan(Search *search, Plan *plan);
static bool carries(Node *node, Search *search);

static void
add_carried(Carried *all, Carried more)
{
	all->own = bms_union(all->own, more.own);
	all->row = bms_union(all->row, more.row);
	all->tests = bms_union(all->tests, more.tests);
	all->kin = bms_union(all->kin, more.kin);
}

/* Note the value of a parameter. */
static void
set_param(Search *search, Carried *params, int param, bool own, bool kin)
{
	search->grown |= (own && !bms_is_member(param, params->own)) ||
		(kin && !bms_is_member(param, params->kin));
	if (own)
		params->own = bms_add_member(params->own, param);
	if (kin)
		params->kin = bms_add_member(params->kin, param);
}

/* What a column reference of an expression refers to. */
static Carried *
source_of(Search *search, Var *var)
{
	if (var->varno == OUTER_VAR)
		return &search->outer;
	if (var->varno == INNER_VAR)
		return &search->inner;
	return var->varno == search->relid ? &search->rows : NULL;
}

/* Whether an expression is just a value of the column, of any such scan. */
static bool
is_kin(Node *node, Search *search)
{
	Carried    *source;

	if (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC)
		return bms_is_member(((Param *) node)->paramid, search->row_params.kin) ||
			bms_is_member(((Param *) node)->paramid, search->result_params.kin);
	source = IsA(node, Var) ? source_of(search, (Var *) node) : NULL;
	return source && ((Var *) node)->varattno > 0 &&
		bms_is_member(((Var *) node)->varattno, source->kin);
}

/* Whether an expression is a column that has the scan's whole row in it, or that row itself. */
static bool
is_row(Node *node, Search *search)
{
	Var		   *var = (Var *) node;
	Carried    *source = IsA(node, Var) ? source_of(search, var) : NULL;

	if (source == NULL)
		return false;
	return var->varattno == 0 ? !bms_is_empty(source->own) || !bms_is_empty(source->row) :
		var->varattno > 0 && bms_is_member(var->varattno, source->row);
}

/* Whether a condition says that two values of the column are equal: it tells none of them. */
static bool
is_of_kin(Node *node, Search *search)
{
	OpExpr	   *condition = (OpExpr *) node;

	return IsA(node, OpExpr) && list_length(condition->args) == 2 &&
		strcmp(get_opname(condition->opno), "=") == 0 &&
		is_kin(linitial(condition->args), search) && is_kin(lsecond(condition->args), search);
}

/* Note what a subplan gets of the row; whether its result depends on the column. */
static bool
subplan_carries(SubPlan *subplan, Search *search)
{
	bool		carried = !bms_is_empty(search->results[subplan->plan_id - 1].own) &&
		subplan->subLinkType != EXISTS_SUBLINK;
	ListCell   *param,
			   *arg;

	forboth(param, subplan->parParam, arg, subplan->args)
	{
		bool		own = carries(lfirst(arg), search);

		set_param(search, &search->row_params, lfirst_int(param), own, is_kin(lfirst(arg), search));
		carried |= own;
	}
	return carried || carries(subplan->testexpr, search);
}

/* Whether the value of an expression depends on the column. */
static bool
carries(Node *node, Search *search)
{
	if (node == NULL)
		return false;
	check_stack_depth();
	search->whole_row |= is_row(node, search);
	if (IsA(node, Var))
	{
		Carried    *source = source_of(search, (Var *) node);

		return source && ((Var *) node)->varattno > 0 &&
			bms_is_member(((Var *) node)->varattno, source->own);
	}
	if (IsA(node, FieldSelect) && is_row((Node *) ((FieldSelect *) node)->arg, search))
		return ((FieldSelect *) node)->fieldnum == search->column;
	if (IsA(node, Param))
	{
		Param	   *param = (Param *) node;

		return param->paramkind == PARAM_EXEC &&
			(bms_is_member(param->paramid, search->result_params.own) ||
			 (search->params_too && bms_is_member(param->paramid, search->row_params.own)));
	}
	if (IsA(node, SubPlan))
		return subplan_carries((SubPlan *) node, search);
	if (IsA(node, NullTest) && (((NullTest *) node)->nulltesttype == IS_NULL || !search->nullable))
		return false;
	if (is_of_kin(node, search))
		return false;
	return expression_tree_walker(node, carries, search);
}

/* Whether an expression has a constant in whose text the column's name stands. */
static bool
names_column(Node *node, Search *search)
{
	if (node == NULL)
		return false;
	if (IsA(node, Const) && !((Const *) node)->constisnull)
	{
		Oid			output;
		bool		varlena;

		getTypeOutputInfo(((Const *) node)->consttype, &output, &varlena);
		return strstr(OidOutputFunctionCall(output, ((Const *) node)->constvalue),
					  search->name) != NULL;
	}
	return expression_tree_walker(node, names_column, search);
}

/* Whether a condition asks for values of the column, or for a member of the whole row by its name. */
static bool
is_condition(Node *node, Search *search)
{
	search->whole_row = false;
	return carries(node, search) || (search->whole_row && names_column(node, search));
}

/* Look at conditions of a plan node: a list of them, or one. */
static void
search_conditions(Search *search, Node *conditions)
{
	ListCell   *cell;

	if (conditions && IsA(conditions, List))
	{
		foreach(cell, (List *) conditions)
			search_conditions(search, lfirst(cell));
		return;
	}
	search->found |= is_condition(conditions, search);
}

/* Whether an expression is a test of something. */
static bool
is_test(Node *node)
{
	switch (nodeTag(node))
	{
		case T_CaseExpr:
		case T_NullIfExpr:
			return true;
		case T_OpExpr:
		case T_FuncExpr:
		case T_SubPlan:
		case T_CoerceViaIO:
			return exprType(node) == BOOLOID;
		case T_ScalarArrayOpExpr:
		case T_DistinctExpr:
		case T_RowCompareExpr:
		case T_NullTest:
			return true;
		default:
			return false;
	}
}

/* Whether an expression tests the column, or has the result of a test: what fails it is lost. */
static bool
has_test(Node *node, Search *search)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		Carried    *source = source_of(search, (Var *) node);

		return source && ((Var *) node)->varattno > 0 &&
			bms_is_member(((Var *) node)->varattno, source->tests);
	}
	return (is_test(node) && is_condition(node, search)) ||
		expression_tree_walker(node, has_test, search);
}

/*
 * Look at what a plan node computes: an aggregate of only some rows, or a
 * function that gives as many rows as it likes, is as good as a condition.
 */
static bool
search_output(Node *node, Search *search)
{
	if (node == NULL)
		return false;
	if (IsA(node, Aggref) || IsA(node, WindowFunc))
	{
		search_conditions(search, (Node *) (IsA(node, Aggref) ? ((Aggref *) node)->aggfilter :
											((WindowFunc *) node)->aggfilter));
		search->found |= has_test((Node *) (IsA(node, Aggref) ? ((Aggref *) node)->args :
											((WindowFunc *) node)->args), search);
	}
	if ((IsA(node, FuncExpr) && ((FuncExpr *) node)->funcretset) ||
		(IsA(node, OpExpr) && ((OpExpr *) node)->opretset))
		search_conditions(search, node);
	return expression_tree_walker(node, search_output, search);
}

/* The rows of one of our own scans. */
static Carried
search_scan(Search *search, ForeignScan *scan)
{
	Carried		rows = {0};
	ListCell   *cell;

	if (scan == search->scan)
	{
		rows.own = bms_make_singleton(search->column);
		rows.kin = bms_make_singleton(search->column);
	}
	else if (OidIsValid(scan->fs_server) &&
			 GetForeignServer(scan->fs_server)->fdwid == search->wrapper)
	{
		Oid			table = rt_fetch(scan->scan.scanrelid, search->query->rtable)->relid;

		foreach(cell, (List *) list_nth(scan->fdw_private, PRIVATE_COLUMNS))
		{
			char	   *mark = strVal(lfirst(cell));

			if (strncmp(mark, MARK_CHOICE, strlen(MARK_CHOICE)) == 0 &&
				strcmp(mark + strlen(MARK_CHOICE), search->name) == 0)
				rows.kin = bms_make_singleton(get_attnum(table, search->name));
		}
	}
	return rows;
}

/* The rows that a scan node reads, and the conditions that only its kind has. */
static Carried
search_rows(Search *search, Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_ForeignScan:
			return search_scan(search, (ForeignScan *) plan);
		case T_SubqueryScan:
			return search_plan(search, ((SubqueryScan *) plan)->subplan);
		case T_CteScan:
			return search->results[((CteScan *) plan)->ctePlanId - 1];
		case T_WorkTableScan:
			return search->worktable;
		default:
			return (Carried) {0};
	}
}

/* The relation that a plan node scans, 0 for none. */
static Index
scanned(Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_ForeignScan:
		case T_SubqueryScan:
		case T_CteScan:
		case T_WorkTableScan:
			return ((Scan *) plan)->scanrelid;
		default:
			return 0;
	}
}

/* Every column of a plan's rows. */
static Carried
all_columns(Plan *plan, Carried like)
{
	Carried		all = {0};

	if (!bms_is_empty(like.own))
		all.own = bms_add_range(NULL, 1, Max(list_length(plan->targetlist), 1));
	return all;
}

/*
 * The conditions of a join.  Those of an outer join take nothing from the side
 * that it keeps whole; what it adds to these rows then depends on the column.
 */
static void
search_join(Search *search, Plan *plan, List *conditions)
{
	JoinType	type = ((Join *) plan)->jointype;
	Carried		outer = search->outer,
				inner = search->inner,
				none = {0};
	bool		before = search->found;

	search->found = false;
	search_conditions(search, (Node *) conditions);
	if (search->found && type == JOIN_LEFT)
	{
		search->found = false;
		search->outer.own = none.own;
		search_conditions(search, (Node *) conditions);
		search->outer = outer;
		add_carried(&search->inner, all_columns(plan->righttree, outer));
	}
	else if (search->found && type == JOIN_RIGHT)
	{
		search->found = false;
		search->inner.own = none.own;
		search_conditions(search, (Node *) conditions);
		search->inner = inner;
		add_carried(&search->outer, all_columns(plan->lefttree, inner));
	}
	else if (search->found && type == JOIN_FULL)
	{
		search->found = false;
		add_carried(&search->outer, all_columns(plan->lefttree, inner));
		add_carried(&search->inner, all_columns(plan->righttree, outer));
	}
	search->found |= before;
}

/* A nested loop's parameters: values of the outer row that the inner side may ask for. */
static void
search_nestloop(Search *search, NestLoop *loop, Carried outer)
{
	bool		lent = false;
	ListCell   *cell;

	search->outer = outer;
	search->inner = (Carried) {0};
	foreach(cell, loop->nestParams)
	{
		NestLoopParam *param = lfirst(cell);
		bool		own = carries((Node *) param->paramval, search);

		set_param(search, &search->row_params, param->paramno, own,
				  is_kin((Node *) param->paramval, search));
		lent |= own;
	}
	search->inner = search_plan(search, loop->join.plan.righttree);
	search->outer = outer;
	if (lent && loop->join.jointype == JOIN_LEFT)
		add_carried(&search->inner, all_columns(loop->join.plan.righttree, outer));
	else if (lent)
		search->found = true;
	search_join(search, (Plan *) loop, loop->join.joinqual);
}

/* All conditions and computations of one plan node, besides those of a join. */
static void
search_node(Search *search, Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_Result:
			search_conditions(search, ((Result *) plan)->resconstantqual);
			break;
#if PG_VERSION_NUM >= 150000
		case T_WindowAgg:
			search_conditions(search, (Node *) ((WindowAgg *) plan)->runCondition);
			break;
#endif
		case T_IndexScan:
			search_conditions(search, (Node *) ((IndexScan *) plan)->indexqualorig);
			break;
		case T_IndexOnlyScan:
			search_conditions(search, (Node *) ((IndexOnlyScan *) plan)->indexqual);
			break;
		case T_BitmapIndexScan:
			search_conditions(search, (Node *) ((BitmapIndexScan *) plan)->indexqualorig);
			break;
		case T_BitmapHeapScan:
			search_conditions(search, (Node *) ((BitmapHeapScan *) plan)->bitmapqualorig);
			break;
		case T_ForeignScan:
			if (plan != (Plan *) search->scan)
				search_conditions(search, (Node *) ((ForeignScan *) plan)->fdw_exprs);
			break;
		case T_SetOp:
			/* INTERSECT or EXCEPT of names alone, not of whole rows */
			if (bms_num_members(search->outer.own) >= ((SetOp *) plan)->numCols ||
				bms_num_members(search->inner.own) >= ((SetOp *) plan)->numCols)
				search->found = true;
			break;
		default:
			break;
	}
	search_conditions(search, (Node *) plan->qual);
	search_output((Node *) plan->targetlist, search);
}

/* What a plan node gives to the one above: which columns of its rows depend on the column. */
static Carried
output_of(Search *search, Plan *plan)
{
	Carried		output = {0};
	ListCell   *cell;

	search->params_too = true;
	foreach(cell, plan->targetlist)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, cell);

		if (has_test((Node *) entry->expr, search))
			output.tests = bms_add_member(output.tests, entry->resno);
		search->whole_row = false;
		if (carries((Node *) entry->expr, search))
			output.own = bms_add_member(output.own, entry->resno);
		if (search->whole_row)
			output.row = bms_add_member(output.row, entry->resno);
		if (is_kin((Node *) entry->expr, search))
			output.kin = bms_add_member(output.kin, entry->resno);
	}
	search->params_too = false;
	return output;
}

/* The rows of several plans under one node. */
static Carried
search_plans(Search *search, List *plans)
{
	Carried		rows = {0};
	ListCell   *cell;

	foreach(cell, plans)
		add_carried(&rows, search_plan(search, lfirst(cell)));
	return rows;
}

/* Note what a plan's initial subplans leave in parameters. */
static void
search_initplans(Search *search, Plan *plan)
{
	ListCell   *cell,
			   *param;

	foreach(cell, plan->initPlan)
	{
		SubPlan    *subplan = lfirst_node(SubPlan, cell);
		Carried		result = search->results[subplan->plan_id - 1];
		int			column = 1;

		if (subplan->subLinkType == CTE_SUBLINK || subplan->subLinkType == EXISTS_SUBLINK)
			continue;
		foreach(param, subplan->setParam)
		{
			set_param(search, &search->result_params, lfirst_int(param),
					  bms_is_member(column, result.own), bms_is_member(column, result.kin));
			column++;
		}
	}
}

/* Search a plan node and all below it; what it gives to the one above. */
static Carried
search_plan(Search *search, Plan *plan)
{
	Carried		outer,
				inner = {0},
				rows;

	if (plan == NULL)
		return inner;
	check_stack_depth();
	search_initplans(search, plan);
	if (IsA(plan, Append))
		outer = search_plans(search, ((Append *) plan)->appendplans);
	else if (IsA(plan, MergeAppend))
		outer = search_plans(search, ((MergeAppend *) plan)->mergeplans);
#if PG_VERSION_NUM < 140000
	else if (IsA(plan, ModifyTable))
		outer = search_plans(search, ((ModifyTable *) plan)->plans);
#endif
	else
		outer = search_plan(search, plan->lefttree);
	if (IsA(plan, RecursiveUnion))
		add_carried(&search->worktable, outer);
	if (!IsA(plan, NestLoop))
		inner = search_plan(search, plan->righttree);
	if (IsA(plan, RecursiveUnion))
		add_carried(&search->worktable, inner);
	rows = search_rows(search, plan);

	search->outer = outer;
	search->inner = inner;
	search->rows = rows;
	search->relid = scanned(plan);
	if (IsA(plan, NestLoop))
		search_nestloop(search, (NestLoop *) plan, outer);
	else if (IsA(plan, HashJoin))
		search_join(search, plan, list_concat_copy(((HashJoin *) plan)->hashclauses,
												   ((Join *) plan)->joinqual));
	else if (IsA(plan, MergeJoin))
		search_join(search, plan, list_concat_copy(((MergeJoin *) plan)->mergeclauses,
												   ((Join *) plan)->joinqual));
	search->rows = rows;
	search->relid = scanned(plan);
	search_node(search, plan);
	return output_of(search, plan);
}

/*
 * Whether a plan has a condition on a column of a scan.  What it leads to is
 * followed until no subplan or parameter is new.
 */
static bool
has_condition(PlannedStmt *query, ForeignScan *scan, AttrNumber column, char *name, bool nullable)
{
	Search		search = {0};
	int			nsubplans = list_length(query->subplans);

	search.query = query;
	search.scan = scan;
	search.wrapper = GetForeignServer(scan->fs_server)->fdwid;
	search.column = column;
	search.name = name;
	search.nullable = nullable;
	search.results = palloc0((nsubplans + 1) * sizeof(Carried));
	do
	{
		search.grown = false;
		for (int number = 0; number < nsubplans; number++)
		{
			Carried		result = search_plan(&search, list_nth(query->subplans, number));

			search.grown |= !bms_equal(result.own, search.results[number].own) ||
				!bms_equal(result.kin, search.results[number].kin);
			search.results[number] = result;
		}
		search_plan(&search, query->planTree);
	} while (search.grown && !search.found);
	return search.found;
}

/* The column of a scan that chooses what is read and has a condition that does not tell how. */
static char *
find_untold(PlannedStmt *query, ForeignScan *scan, Oid table)
{
	ListCell   *cell;

	foreach(cell, (List *) list_nth(scan->fdw_private, PRIVATE_COLUMNS))
	{
		char	   *mark = strVal(lfirst(cell));
		bool		nullable = strncmp(mark, MARK_NULLABLE, strlen(MARK_NULLABLE)) == 0;
		char	   *name = mark + strlen(nullable ? MARK_NULLABLE : MARK_CHOICE);

		if ((nullable || strncmp(mark, MARK_CHOICE, strlen(MARK_CHOICE)) == 0) &&
			has_condition(query, scan, get_attnum(table, name), name, nullable))
			return name;
	}
	return NULL;
}

static void
refuse_untold(ForeignScanState *node, char *column)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("%s chooses by %s what it reads, and cannot tell it from a condition of this query",
					RelationGetRelationName(node->ss.ss_currentRelation), column),
			 errhint("Give the values in the WHERE that belongs to the table: %s = '...' or %s IN ('...', '...'); "
					 "other conditions may stand beside it.", column, column)));
}


/* ------------------------------------------------------------------------
 * Scanning
 * ------------------------------------------------------------------------
 */

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

/*
 * The query ends without EndForeignScan, which happens after errors: let
 * Python's iterator go, and with it the threads and sockets it holds.  The
 * memory of the scan is freed after this callback.  Multicorn's ReScan does
 * nothing but drop the iterator, and cannot fail.
 */
static void
release_scan(void *arg)
{
	TableScan  *scan = arg;

	drop_packed(scan);
	if (!scan->open)
		return;
	scan->open = false;
	scan->node->fdw_state = scan->multicorn;
	multicorn->ReScanForeignScan(scan->node);
}

/* Note an operand of a scan; the result is what Multicorn gets in its place. */
static Expr *
add_operand(TableScan *scan, Bound *bound)
{
	Param	   *param = makeNode(Param);

	scan->operands = lappend(scan->operands,
							 ExecInitExpr(bound->operand, (PlanState *) scan->node));
	scan->conversions = lappend_int(scan->conversions, bound->conversion);
	param->paramkind = PARAM_EXTERN;
	param->paramid = list_length(scan->operands);
	param->paramtype = bound->type;
	param->paramtypmod = -1;
	param->paramcollid = get_typcollation(bound->type);
	param->location = -1;
	return (Expr *) param;
}

/* What the clauses of a finished plan prove. */
static List *
all_bounds(ForeignScan *plan)
{
	List	   *bounds = NIL;
	ListCell   *cell;

	foreach(cell, plan->scan.plan.qual)
		bounds = list_concat(bounds, proven_bounds(lfirst(cell), plan->scan.scanrelid));
	return bounds;
}

/* The clauses for Multicorn to scan with. */
static List *
scan_clauses(TableScan *scan)
{
	ForeignScan *plan = (ForeignScan *) scan->node->ss.ps.plan;
	List	   *clauses = NIL,
			   *types = NIL;
	ListCell   *cell;
	int			number = 0;

	foreach(cell, all_bounds(plan))
	{
		Bound	   *bound = lfirst(cell);
		Expr	   *value = NULL;

		if (bound->operand && IsA(bound->operand, Const))
		{
			Const	   *known = (Const *) bound->operand;

			scan->never |= known->constisnull;
			if (known->constisnull)
				continue;
			value = constant(bound, known->constvalue);
		}
		else if (bound->operand)
		{
			value = add_operand(scan, bound);
			types = lappend_oid(types, bound->type);
		}
		clauses = lappend(clauses, multicorn_clause(bound, value));
	}
	scan->params = makeParamList(list_length(types));
	foreach(cell, types)
	{
		ParamExternData *param = &scan->params->params[number++];

		param->pflags = 0;
		param->ptype = lfirst_oid(cell);
	}
	return clauses;
}

/* EXPLAIN alone begins nothing; see ctExplainForeignScan. */
static void
ctBeginForeignScan(ForeignScanState *node, int eflags)
{
	TableScan  *scan = palloc0(sizeof(TableScan));
	List	   *clauses;

	scan->node = node;
	node->fdw_state = scan;
	generation = generation == PG_INT32_MAX ? 1 : generation + 1;
	scan->untold = find_untold(node->ss.ps.state->es_plannedstmt, (ForeignScan *) node->ss.ps.plan,
							   RelationGetRelid(node->ss.ss_currentRelation));
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	clauses = scan_clauses(scan);
	scan->reading = judge_reading(node->ss.ps.state->es_plannedstmt, node->ss.ps.plan);
	scan->fresh = true;
	begin_multicorn(node, eflags, clauses, NIL);
	scan->multicorn = node->fdw_state;
	node->fdw_state = scan;
	scan->open = true;
	scan->release.func = release_scan;
	scan->release.arg = scan;
	MemoryContextRegisterResetCallback(node->ss.ps.state->es_query_cxt, &scan->release);
}

/*
 * Evaluate the operands.  When one is NULL, no row is selected, as their
 * operators are strict.
 */
static void
evaluate_operands(TableScan *scan)
{
	ExprContext *econtext = scan->node->ss.ps.ps_ExprContext;
	ListCell   *operand,
			   *conversion;
	int			number = 0;

	scan->empty = scan->never;
	forboth(operand, scan->operands, conversion, scan->conversions)
	{
		ParamExternData *param = &scan->params->params[number++];

		if (scan->empty)
			return;
		param->value = ExecEvalExpr((ExprState *) lfirst(operand), econtext, &param->isnull);
		scan->empty = param->isnull;
		if (!param->isnull)
			param->value = convert(param->value, (Conversion) lfirst_int(conversion));
	}
}

/*
 * Begin a (re)scan: the row when it is known and the only one, else NULL, and
 * then scan->empty says whether there is none.
 */
static TupleTableSlot *
start_scan(TableScan *scan)
{
	HeapTuple	row;

	scan->fresh = false;
	if (scan->untold)
		refuse_untold(scan->node, scan->untold);
	evaluate_operands(scan);
	row = scan->empty ? NULL : known_row(scan);
	if (row == NULL)
		return NULL;
	scan->empty = true;			/* after this one */
	ExecForceStoreHeapTuple(row, scan->node->ss.ss_ScanTupleSlot, false);
	return scan->node->ss.ss_ScanTupleSlot;
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
	node->fdw_state = scan->multicorn;
	estate->es_param_list_info = econtext->ecxt_param_list_info = scan->params;
	cloudtrail_fdw_all_rows = scan->reading == ALL_ROWS ||
		(scan->reading == ROWS_OF_QUERY && whole_run);
	namestrcpy(&table_name, RelationGetRelationName(node->ss.ss_currentRelation));
	CALL_MULTICORN((scan->again ? multicorn->ReScanForeignScan(node) : (void) 0,
					scan->again = false, slot = multicorn->IterateForeignScan(node)),
				   (cloudtrail_fdw_all_rows = false, node->fdw_state = scan,
					estate->es_param_list_info = estate_params,
					econtext->ecxt_param_list_info = econtext_params));
	if (handed.rows)
	{
		take_packed(scan);
		return packed_row(scan);
	}
	if (handed.only_row && !TupIsNull(slot))
		remember_row(scan, slot);
	return slot;
}

static TupleTableSlot *
ctIterateForeignScan(ForeignScanState *node)
{
	TableScan  *scan = node->fdw_state;
	TupleTableSlot *slot = NULL;

	CHECK_FOR_INTERRUPTS();
	if (scan->fresh && (slot = start_scan(scan)) != NULL)
		return slot;
	if (scan->empty)
		return ExecClearTuple(node->ss.ss_ScanTupleSlot);
	return scan->rows > 0 ? packed_row(scan) : multicorn_row(scan);
}

static void
ctReScanForeignScan(ForeignScanState *node)
{
	TableScan  *scan = node->fdw_state;

	scan->fresh = scan->again = true;
	drop_packed(scan);
}

static void
ctEndForeignScan(ForeignScanState *node)
{
	TableScan  *scan = node->fdw_state;

	drop_packed(scan);
	if (!scan->open)
		return;
	scan->open = false;
	node->fdw_state = scan->multicorn;
	CALL_MULTICORN(multicorn->EndForeignScan(node), node->fdw_state = scan);
}


/* ------------------------------------------------------------------------
 * EXPLAIN
 * ------------------------------------------------------------------------
 */

/*
 * The clauses for Multicorn to explain: those whose operands have a value
 * without running anything.  *runtime gets the others that are proven.
 */
static List *
explain_clauses(ForeignScanState *node, List **runtime, List **names)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Oid			table = RelationGetRelid(node->ss.ss_currentRelation);
	List	   *clauses = NIL;
	ListCell   *cell;

	foreach(cell, all_bounds(plan))
	{
		Bound	   *bound = lfirst(cell);
		Expr	   *value = NULL;

		if (bound->operand && has_param((Node *) bound->operand, NULL))
		{
			char	   *column = get_attname(table, bound->column->varattno, false);

			*runtime = list_append_unique_ptr(*runtime, bound->clause);
			*names = lappend(*names, makeString(psprintf(MARK_RUNTIME "%s", column)));
			continue;
		}
		if (bound->operand)
		{
			ExprState  *state = ExecInitExpr(bound->operand, (PlanState *) node);
			bool		isnull;
			Datum		datum = ExecEvalExpr(state, node->ss.ps.ps_ExprContext, &isnull);

			if (isnull)
				continue;
			value = constant(bound, datum);
		}
		clauses = lappend(clauses, multicorn_clause(bound, value));
	}
	return clauses;
}

/* What Python's explain says, as Multicorn prints it. */
static char *
explain_text(ForeignScanState *node, bool verbose, List *clauses, List *names)
{
	ExplainState *es = NewExplainState();
	void	   *state = node->fdw_state;

	es->verbose = verbose;
	begin_multicorn(node, EXEC_FLAG_EXPLAIN_ONLY, clauses, names);
	namestrcpy(&table_name, RelationGetRelationName(node->ss.ss_currentRelation));
	CALL_MULTICORN((multicorn->ExplainForeignScan(node, es), multicorn->EndForeignScan(node)),
				   node->fdw_state = state);
	return es->str->data;
}

/* Bounds that get their value at run time, as PostgreSQL prints conditions. */
static void
explain_runtime(ForeignScanState *node, List *runtime, ExplainState *es)
{
	Plan	   *plan = node->ss.ps.plan;
	List	   *ancestors = NIL,
			   *context;

	find_ancestors(es->pstmt->planTree, plan, es->pstmt->subplans, NIL, &ancestors);
	context = set_deparse_context_plan(es->deparse_cxt, plan, ancestors);
	ExplainPropertyText(RUNTIME_LABEL,
						deparse_expression((Node *) make_ands_explicit(runtime), context,
										   es->verbose, false), es);
}

/*
 * Print Python's "Label: value" lines each under its own label.  Multicorn
 * gets a scan of its own for it, without any parameter, whether the query
 * ran or not.
 */
static void
ctExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	List	   *runtime = NIL,
			   *names = NIL,
			   *clauses = explain_clauses(node, &runtime, &names);
	char	   *untold = ((TableScan *) node->fdw_state)->untold;
	char	   *line;

	if (untold)
		refuse_untold(node, untold);
	line = explain_text(node, es->verbose, clauses, names);
	while (line && *line)
	{
		char	   *end = strchr(line, '\n'),
				   *value;

		if (end)
			*end++ = '\0';
		if (strncmp(line, LABEL, strlen(LABEL)) == 0)
			line += strlen(LABEL);
		value = strstr(line, ": ");
		if (value)
		{
			*value = '\0';
			value += 2;
		}
		/* Python names the columns of such bounds; explain_runtime says more. */
		if (runtime == NIL || strcmp(line, RUNTIME_LABEL) != 0)
			ExplainPropertyText(value ? line : "Note", value ? value : line, es);
		line = end;
	}
	if (runtime)
		explain_runtime(node, runtime, es);
}


/* ------------------------------------------------------------------------
 * The handler
 * ------------------------------------------------------------------------
 */

/*
 * Only reading is offered.  Multicorn's other callbacks are left out: those
 * for writing, as the tables cannot be written, and that for LIMIT, which
 * gives wrong rows below views with conditions.
 */
Datum
cloudtrail_fdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	if (multicorn == NULL)
	{
		PGFunction	handler = load_external_function("$libdir/multicorn", "multicorn_handler",
													 true, NULL);
		FdwRoutine *found = (FdwRoutine *) DatumGetPointer(handler(fcinfo));

		multicorn = MemoryContextAlloc(TopMemoryContext, sizeof(FdwRoutine));
		*multicorn = *found;
		next_run_hook = ExecutorRun_hook;
		ExecutorRun_hook = note_run;
	}
	routine->GetForeignRelSize = ctGetForeignRelSize;
	routine->GetForeignPaths = ctGetForeignPaths;
	routine->GetForeignPlan = ctGetForeignPlan;
	routine->BeginForeignScan = ctBeginForeignScan;
	routine->IterateForeignScan = ctIterateForeignScan;
	routine->ReScanForeignScan = ctReScanForeignScan;
	routine->EndForeignScan = ctEndForeignScan;
	routine->ExplainForeignScan = ctExplainForeignScan;
	routine->ImportForeignSchema = ctImportForeignSchema;
	PG_RETURN_POINTER(routine);
}
