/*-------------------------------------------------------------------------
 *
 * cloudtrail_fdw.h
 *		What the files of the handler share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CLOUDTRAIL_FDW_H
#define CLOUDTRAIL_FDW_H

#include "postgres.h"

#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_state.h"
#endif
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "nodes/params.h"
#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"
#include "utils/hsearch.h"

#include "frames.h"

#define MARK_RUNTIME	"cloudtrail_fdw.runtime."
#define RUNTIME_LABEL	"Runtime Bounds"
#define RUNTIME_KEYS	10		/* how many a list of unknown length may hold */
#define MOST_CHOICES	8		/* columns of one table that choose what is read */

/*
 * Before the name of a column that chooses what is read and has no value in
 * the plan's clauses; the second where it may be NULL.
 */
#define MARK_CHOICE			"cloudtrail_fdw.choice."
#define MARK_NULLABLE		"cloudtrail_fdw.nullable."

/* Where a finished plan keeps things: as Multicorn 1.4 and 3.2 have it. */
#define PRIVATE_COLUMNS		2	/* names of wanted columns */
#define PRIVATE_SORT		3	/* list of sort keys, each a list ... */
#define SORT_PATHKEY		5	/* ... that has the planner's PathKey here */

/* An argument that PostgreSQL decides. */
#define UNUSED	pg_attribute_unused()

/* How an operand becomes a value that Python reads correctly. */
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
	Expr	   *value;			/* the converted operand, a Const, where it is known */
	int			param;			/* else its number among the scan's operands, from 1 */
} Bound;

/* What Python says of a table when it is asked for its size. */
typedef struct Answer
{
	NameData	key;			/* column that a query must bind with "=", or "" */
	int			nchoices;
	struct
	{
		NameData	column;
		bool		nullable;
	}			choices[MOST_CHOICES];	/* columns that choose what is read */
} Answer;

struct TablePlan;
struct TableScan;

/* What the handler asks of the host of Python. */
typedef struct Host
{
	/* set rel->rows and rel->reltarget->width, for these bounds and columns */
	void		(*size) (PlannerInfo *root, RelOptInfo *rel, Oid table, List *bounds,
						 List *wanted, Answer *answer);
	/* add the paths without parameters to rel->pathlist */
	void		(*paths) (PlannerInfo *root, RelOptInfo *rel, Oid table);
	/* the plan for one of them, without clauses */
	ForeignScan *(*plan) (PlannerInfo *root, RelOptInfo *rel, Oid table, ForeignPath *path,
						  List *tlist, Plan *outer_plan);
	void		(*begin) (struct TableScan *scan, int eflags, List *bounds);
	/* the next row; the first after a (re)scan once scan->again is set */
	TupleTableSlot *(*row) (struct TableScan *scan);
	void		(*end) (struct TableScan *scan);
	/* as end, after an error; must not fail */
	void		(*release) (struct TableScan *scan);
	/* Python's "Label: value" lines; "names" has the marks of columns bound at run time */
	char	   *(*explain) (ForeignScanState *node, bool verbose, List *bounds, List *names);
} Host;

/* Planning one foreign table; in RelOptInfo.fdw_private. */
typedef struct TablePlan
{
	const Host *host;
	void	   *state;			/* the host's own */
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
	const Host *host;
	void	   *state;			/* the host's own; NULL in EXPLAIN */
	ForeignScanState *node;
	bool		open;			/* the host has begun, and has not ended */
	bool		fresh;			/* the next call starts a (re)scan */
	bool		again;			/* that the host has to be told of */
	bool		never;			/* a constant operand is NULL: no row, ever */
	bool		empty;			/* no further row in this (re)scan, as an operand is NULL, say */
	char	   *untold;			/* column that a condition asks for without telling its values */
	Reading		reading;
	List	   *operands;		/* ExprStates */
	List	   *conversions;	/* of the operands, integers */
	ParamListInfo params;		/* their values */
	char	   *packed;			/* rows that Python handed over, malloc'd */
	Reader		left;			/* what is left of them */
	uint32		rows;			/* how many these are */
	int			ncolumns;		/* that each of them has */
	PackedColumn *columns;		/* NULL before the first */
	HTAB	   *known;			/* rows of keys; NULL before the first */
	MemoryContext memory;		/* where they are */
	uint64		asked;			/* look-ups */
	uint32		lookups;		/* since rows that came ahead were of no use ... */
	int			failures;		/* ... which was so often */
	uint32		most_ahead;		/* rows that the last look-up was to bring ahead, ... */
	uint32		ahead;			/* ... those that it brought, ... */
	uint32		used;			/* ... and those that were asked for since */
	MemoryContextCallback release;
} TableScan;

/* The functions below are the library's own. */
#if defined(__GNUC__) && !defined(__TINYC__)
#pragma GCC visibility push(hidden)
#endif

/* judge.c */
extern Var *ct_plain_column(Node *node, Index relid, Oid *type);
extern List *ct_proven_bounds(Expr *clause, Index relid);
extern bool ct_gives_values(Bound *bound);
extern bool ct_values_given(List *clauses, Index relid, AttrNumber column);

/* values.c */
extern Expr *ct_constant(Bound *bound, Datum value);
extern List *ct_all_bounds(ForeignScan *plan);
extern List *ct_scan_bounds(TableScan *scan);
extern void ct_evaluate_operands(TableScan *scan);

/* plan.c */
extern List *ct_wanted_columns(RelOptInfo *rel, Oid table, List *restrictinfos);
extern void ct_size(PlannerInfo *root, RelOptInfo *rel, Oid table, const Host *host);
extern ForeignScan *ctGetForeignPlan(PlannerInfo *root, RelOptInfo *rel, Oid table,
									 ForeignPath *path, List *tlist, List *clauses,
									 Plan *outer_plan);

/* paths.c */
extern void ct_add_path(PlannerInfo *root, RelOptInfo *rel, double rows, bool disabled,
						Cost startup, Cost total, List *pathkeys, Relids outer,
						List *fdw_private);
extern void ctGetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid table);

/* choices.c */
extern char *ct_find_untold(PlannedStmt *query, ForeignScan *scan, Oid table);
extern void ct_refuse_untold(ForeignScanState *node, char *column);

/* rows.c */
extern void ct_damaged(void);
extern TupleTableSlot *ct_read_row(TableScan *scan, Reader *reader);
extern TupleTableSlot *ct_packed_row(TableScan *scan);
extern void ct_take_packed(TableScan *scan, char *rows, size_t length);
extern void ct_drop_packed(TableScan *scan);

/* known.c */
extern bool ct_known_row(TableScan *scan, TupleTableSlot **slot);
extern uint32 ct_rows_ahead(TableScan *scan);
extern void ct_remember_row(TableScan *scan, TupleTableSlot *slot);
extern bool ct_take_keyed(TableScan *scan, const char *key, Reader rows, TupleTableSlot **slot);

/* reading.c */
extern bool ct_find_ancestors(Plan *here, Plan *wanted, List *plans, List *above,
							  List **ancestors);
extern Reading ct_judge_reading(PlannedStmt *query, Plan *plan);
extern bool ct_reads_all(TableScan *scan);
extern void ct_hook_runs(void);

/* scan.c */
extern void ct_begin(ForeignScanState *node, int eflags, const Host *host);
extern TupleTableSlot *ctIterateForeignScan(ForeignScanState *node);
extern void ctReScanForeignScan(ForeignScanState *node);
extern void ctEndForeignScan(ForeignScanState *node);

/* explain.c */
extern void ctExplainForeignScan(ForeignScanState *node, ExplainState *es);

/* multicorn.c */
extern const Host ct_multicorn;
extern void ct_load_multicorn(FunctionCallInfo fcinfo);
extern List *ct_multicorn_import(ImportForeignSchemaStmt *stmt, Oid server);

/* launch.c */
extern int	ct_launch_socket;	/* the backend's end, -1 without a worker */
extern void ct_launch(Oid wrapper);
extern char *ct_launch_end(bool at_once);
extern bool ct_launch_stale(Oid wrapper);
extern void ct_launch_keep(void);

/* worker.c */
extern uint32 ct_worker_generation; /* another for every worker */
extern bool ct_worker_busy;
extern List *ct_worker_settings;
extern void ct_worker_ready(Oid wrapper);
extern Writer *ct_worker_draft(void);
extern uint32 ct_worker_number(uint32 kind);
extern char ct_worker_ask(Writer *draft, uint32 number, const char *table);
extern Reader ct_worker_answer(void);
extern char *ct_worker_take(size_t *length);
extern void ct_worker_close(uint32 generation, uint32 number);
extern void ct_worker_scans(uint32 generation, int more);
extern void ct_worker_rubbish(void);

/* tables.c */
extern void ct_put_string(Writer *writer, const char *string);
extern void ct_put_options(Writer *writer, List *options);
extern uint32 ct_table_number(Oid table, Oid user);
extern Oid	ct_table_wrapper(Oid table);

/* remote.c */
extern const Host ct_remote;
extern List *ct_remote_import(ImportForeignSchemaStmt *stmt, Oid server);

/* cloudtrail_fdw.c */
extern char *ct_named_message(char *message, const char *table);

#if defined(__GNUC__) && !defined(__TINYC__)
#pragma GCC visibility pop
#endif

#endif							/* CLOUDTRAIL_FDW_H */
