/*-------------------------------------------------------------------------
 *
 * explain.c
 *		EXPLAIN.
 *
 *-------------------------------------------------------------------------
 */
#include "cloudtrail_fdw.h"

#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#endif

#define LABEL			"Multicorn: "	/* how Multicorn's EXPLAIN begins a line */


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
 * The bounds to explain: those whose operands have a value without running
 * anything.  *runtime gets the clauses of the others, *names their marks.
 */
static List *
explain_bounds(ForeignScanState *node, List **runtime, List **names)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Oid			table = RelationGetRelid(node->ss.ss_currentRelation);
	List	   *bounds = NIL;
	ListCell   *cell;

	foreach(cell, ct_all_bounds(plan))
	{
		Bound	   *bound = lfirst(cell);

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
			bound->value = ct_constant(bound, datum);
		}
		bounds = lappend(bounds, bound);
	}
	return bounds;
}

/* Bounds that get their value at run time, as PostgreSQL prints conditions. */
static void
explain_runtime(ForeignScanState *node, List *runtime, ExplainState *es)
{
	Plan	   *plan = node->ss.ps.plan;
	List	   *ancestors = NIL,
			   *context;

	ct_find_ancestors(es->pstmt->planTree, plan, es->pstmt->subplans, NIL, &ancestors);
	context = set_deparse_context_plan(es->deparse_cxt, plan, ancestors);
	ExplainPropertyText(RUNTIME_LABEL,
						deparse_expression((Node *) make_ands_explicit(runtime), context,
										   es->verbose, false), es);
}

/*
 * Print Python's "Label: value" lines each under its own label.
 */
void
ctExplainForeignScan(ForeignScanState *node, ExplainState *es)
{
	List	   *runtime = NIL,
			   *names = NIL,
			   *bounds = explain_bounds(node, &runtime, &names);
	TableScan  *scan = node->fdw_state;
	char	   *line;

	if (scan->untold)
		ct_refuse_untold(node, scan->untold);
	line = scan->host->explain(node, es->verbose, bounds, names);
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
	if (es->analyze && scan->known)
		ExplainPropertyUInteger("Look-ups", NULL, scan->asked, es);
}
