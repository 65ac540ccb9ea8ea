/*-------------------------------------------------------------------------
 *
 * paths.c
 *		The ways to read a table: at once, sorted, or for rows of other tables.
 *
 *-------------------------------------------------------------------------
 */
#include "cloudtrail_fdw.h"

#include "foreign/fdwapi.h"
#include "optimizer/cost.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"

#define LAST_RESORT		1000	/* how often a path counts as disabled that cannot be run */
#define MOST_OUTERS		32		/* parameterized paths of one table */


/*
 * Whether the host may be asked for a sorted path.  Only a LIMIT is better
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
void
ct_add_path(PlannerInfo *root, RelOptInfo *rel, double rows, bool disabled, Cost startup,
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
is_column(PlannerInfo *root UNUSED, RelOptInfo *rel, EquivalenceClass *ec UNUSED,
		  EquivalenceMember *member, void *wanted)
{
	Oid			type;
	Var		   *column = ct_plain_column((Node *) member->em_expr, rel->relid, &type);

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
		foreach(found, ct_proven_bounds(join->clause, rel->relid))
		{
			Bound	   *bound = lfirst(found);

			if (bound->column->varattno != column || !ct_gives_values(bound) ||
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
 * Let the host make its paths, and make them again: with the clauses that
 * the planner says belong to a parameterized path, with LATERAL references,
 * and so that no table is read without its key when there is another way.
 */
void
ctGetForeignPaths(PlannerInfo *root, RelOptInfo *rel, Oid table)
{
	TablePlan  *plan = rel->fdw_private;
	List	   *pathkeys = root->query_pathkeys;
	List	   *made,
			   *outers;
	ListCell   *cell,
			   *outer;
	double		rows = rel->rows;
	bool		joined = false;
	bool		disabled;

	if (!sort_wanted(root, rel))
		root->query_pathkeys = NIL;
	plan->host->paths(root, rel, table);
	root->query_pathkeys = pathkeys;
	made = rel->pathlist;
	rel->pathlist = NIL;
	outers = outer_sets(root, rel, plan, &joined, &rows);
	disabled = joined || (plan->key > 0 && !plan->has_key);
	foreach(cell, made)
	{
		ForeignPath *path = lfirst_node(ForeignPath, cell);

		if (path->path.param_info != NULL)
			continue;
		ct_add_path(root, rel, rel->rows, disabled, path->path.startup_cost,
					  Max(path->path.total_cost, path->path.startup_cost), path->path.pathkeys,
					  rel->lateral_relids, path->fdw_private);
		if (path->path.pathkeys != NIL)
			continue;
		foreach(outer, outers)
			ct_add_path(root, rel, rows, false, path->path.startup_cost,
						  path->path.startup_cost + rows * rel->reltarget->width, NIL,
						  lfirst(outer), NIL);
	}
}
