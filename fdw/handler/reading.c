/*-------------------------------------------------------------------------
 *
 * reading.c
 *		Where a scan stands in its query, and how much of it will be read.
 *
 *-------------------------------------------------------------------------
 */
#include "cloudtrail_fdw.h"

#include "executor/execdesc.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"

static ExecutorRun_hook_type next_run_hook = NULL;
static bool whole_run = false;	/* the query that runs does so to its end */


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
bool
ct_find_ancestors(Plan *here, Plan *wanted, List *plans, List *above, List **ancestors)
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
		if (ct_find_ancestors(lfirst(cell), wanted, plans, above, ancestors))
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

		if (ct_find_ancestors(list_nth(plans, subplan->plan_id - 1), wanted, plans,
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
Reading
ct_judge_reading(PlannedStmt *query, Plan *plan)
{
	List	   *ancestors = NIL;
	ListCell   *cell;

	if (!ct_find_ancestors(query->planTree, plan, query->subplans, NIL, &ancestors))
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

/* Whether the query will read the present scan to its end. */
bool
ct_reads_all(TableScan *scan)
{
	return scan->reading == ALL_ROWS || (scan->reading == ROWS_OF_QUERY && whole_run);
}

/* From now on, note how queries are run; called once. */
void
ct_hook_runs(void)
{
	next_run_hook = ExecutorRun_hook;
	ExecutorRun_hook = note_run;
}
