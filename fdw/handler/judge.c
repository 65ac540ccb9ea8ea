/*-------------------------------------------------------------------------
 *
 * judge.c
 *		Which clauses are proven.
 *
 *-------------------------------------------------------------------------
 */
#include "cloudtrail_fdw.h"

#include "access/transam.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/lsyscache.h"


/* Whether an expression has a column of this table. */
static bool
has_column(Node *node, Index *relid)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return (Index) ((Var *) node)->varno == *relid;
	return expression_tree_walker(node, has_column, relid);
}

/*
 * The column that a node is, or NULL.  Of casts only those that change
 * nothing are seen through; "type" becomes the type that they lead to.
 */
Var *
ct_plain_column(Node *node, Index relid, Oid *type)
{
	Var		   *column;

	*type = exprType(node);
	if (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (!IsA(node, Var))
		return NULL;
	column = (Var *) node;
	if ((Index) column->varno != relid || column->varattno <= 0 || column->varlevelsup != 0)
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
	bound->column = ct_plain_column(left, relid, &type);
	if (bound->column == NULL)
	{
		Node	   *swap = left;

		left = right;
		right = swap;
		opno = get_commutator(opno);
		bound->column = ct_plain_column(left, relid, &type);
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

	bound->column = ct_plain_column(linitial(clause->args), relid, &type);
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

	bound->column = ct_plain_column(column, relid, &type);
	bound->nulltest = test;
	return bound->column != NULL && IsA(column, Var);
}

/* A boolean column as a condition of its own: column = value. */
static bool
judge_boolean(Node *column, bool value, Index relid, Bound *bound)
{
	bound->column = ct_plain_column(column, relid, &bound->type);
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
bool
ct_gives_values(Bound *bound)
{
	return bound->operand != NULL && (!bound->is_array || bound->use_or) &&
		strcmp(get_opname(bound->opno), "=") == 0;
}

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
		foreach(found, ct_proven_bounds(lfirst(cell), relid))
		{
			Bound	   *bound = lfirst(found);

			if (bound->column->varattno == like->column->varattno && ct_gives_values(bound) &&
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
		foreach(found, ct_proven_bounds(lfirst(cell), relid))
		{
			Bound	   *bound = lfirst(found);
			ArrayExpr  *array = makeNode(ArrayExpr);

			if (!ct_gives_values(bound) || bound->conversion != AS_IT_IS)
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
List *
ct_proven_bounds(Expr *clause, Index relid)
{
	Bound	   *bound;

	check_stack_depth();
	if (is_orclause(clause))
		return judge_or((BoolExpr *) clause, relid);
	bound = palloc(sizeof(Bound));
	return judge(clause, relid, bound) ? list_make1(bound) : NIL;
}

/* Whether one of these clauses gives the values of a column. */
bool
ct_values_given(List *clauses, Index relid, AttrNumber column)
{
	ListCell   *cell,
			   *found;

	foreach(cell, clauses)
	{
		Node	   *clause = lfirst(cell);

		if (IsA(clause, RestrictInfo))
			clause = (Node *) ((RestrictInfo *) clause)->clause;
		foreach(found, ct_proven_bounds((Expr *) clause, relid))
		{
			Bound	   *bound = lfirst(found);

			if (bound->column->varattno == column && ct_gives_values(bound))
				return true;
		}
	}
	return false;
}
