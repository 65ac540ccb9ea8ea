/*-------------------------------------------------------------------------
 *
 * known.c
 *		Rows of keys that were asked for before.
 *
 *-------------------------------------------------------------------------
 */
#include "cloudtrail_fdw.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#define MOST_AHEAD		4096	/* rows that one look-up may bring besides that of its key */
#define FIRST_AHEAD		32
#define FIRST_PAUSE		4		/* look-ups of a scan before the first that brings some */
#define MOST_FAILURES	20		/* each of which doubles the pause */

/* The only row for a value of a scan's only operand. */
typedef struct KeyedRow
{
	uint32		hash;			/* of the value; first, as dynahash wants its key */
	bool		ahead;			/* it was foreseen, and is not asked for yet */
	text	   *key;
	HeapTuple	row;			/* NULL when it is packed, or there is none */
	Reader		packed;			/* nothing when there is no row */
} KeyedRow;


/* Whether a scan's only operand is what may select a row. */
static bool
has_key(TableScan *scan)
{
	return list_length(scan->operands) == 1 && scan->params->params[0].ptype == TEXTOID;
}

/* Its value, NULL without one; gone after the first row of a scan that has more. */
static text *
scan_key(TableScan *scan)
{
	return has_key(scan) ? DatumGetTextPP(scan->params->params[0].value) : NULL;
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

/* Whether the key is known; *slot gets its row, NULL when there is none. */
bool
ct_known_row(TableScan *scan, TupleTableSlot **slot)
{
	text	   *key = scan->known ? scan_key(scan) : NULL;
	KeyedRow   *found;
	uint32		hash;

	*slot = NULL;
	if (key == NULL)
		return false;
	hash = hash_key(key);
	found = hash_search(scan->known, &hash, HASH_FIND, NULL);
	if (found == NULL || !same_key(found->key, key))
		return false;
	if (found->ahead)
		scan->used++;
	found->ahead = false;
	if (found->row)
	{
		*slot = scan->node->ss.ss_ScanTupleSlot;
		ExecForceStoreHeapTuple(found->row, *slot, false);
	}
	else if (found->packed.next != found->packed.end)
	{
		Reader		packed = found->packed;

		*slot = ct_read_row(scan, &packed);
	}
	return true;
}

/*
 * How many rows of other keys a look-up that begins may bring.  None for the first
 * few, so that a query of few keys costs what it did; then ever more, as long
 * as half of what the last one brought was asked for.  Where it was not, it is
 * tried again after a pause, each time a longer one.
 */
uint32
ct_rows_ahead(TableScan *scan)
{
	if (!has_key(scan))
		return 0;
	scan->asked++;
	if (scan->most_ahead == 0)
		scan->most_ahead = scan->lookups++ < (uint32) FIRST_PAUSE << scan->failures ? 0 : FIRST_AHEAD;
	else if (scan->ahead > 0 && 2 * scan->used >= scan->ahead)
	{
		scan->most_ahead = Min(2 * scan->most_ahead, MOST_AHEAD);
		scan->failures = 0;
	}
	else
	{
		scan->most_ahead = scan->lookups = 0;
		scan->failures = Min(scan->failures + 1, MOST_FAILURES);
	}
	scan->ahead = scan->used = 0;
	return scan->most_ahead;
}

/* Whether what is known takes all the memory that it may. */
static bool
is_full(TableScan *scan)
{
	return MemoryContextMemAllocated(scan->memory, true) > work_mem * (Size) 1024;
}

/* Make room for rows; all that is known is forgotten at work_mem. */
static void
prepare(TableScan *scan)
{
	HASHCTL		how = {.keysize = sizeof(uint32), .entrysize = sizeof(KeyedRow)};

	if (scan->known && is_full(scan))
	{
		scan->known = NULL;
		MemoryContextDelete(scan->memory);
	}
	if (scan->known)
		return;
	/* not the macro, whose check of a constant name tcc does not understand */
	scan->memory = AllocSetContextCreateInternal(scan->node->ss.ps.state->es_query_cxt,
												 "cloudtrail_fdw known rows",
												 ALLOCSET_DEFAULT_SIZES);
	how.hcxt = scan->memory;
	scan->known = hash_create("cloudtrail_fdw known rows", 256, &how,
							  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* The entry of a key, which is copied; NULL when another has its place and is to keep it. */
static KeyedRow *
enter(TableScan *scan, text *key, bool keep_others)
{
	uint32		hash = hash_key(key);
	bool		found;
	KeyedRow   *entry = hash_search(scan->known, &hash, HASH_ENTER, &found);

	if (found && keep_others)
		return NULL;
	entry->key = (text *) DatumGetPointer(datumCopy(PointerGetDatum(key), false, -1));
	entry->row = NULL;
	entry->ahead = keep_others;
	memset(&entry->packed, 0, sizeof(entry->packed));
	return entry;
}

/* Remember the row in the slot. */
void
ct_remember_row(TableScan *scan, TupleTableSlot *slot)
{
	text	   *key = scan_key(scan);
	MemoryContext before;

	if (key == NULL)
		return;
	prepare(scan);
	before = MemoryContextSwitchTo(scan->memory);
	enter(scan, key, false)->row = ExecCopySlotHeapTuple(slot);
	MemoryContextSwitchTo(before);
}

/* The key and the place of the row of what is next among rows of keys; false when it is no such row. */
static bool
read_keyed(Reader *reader, char **key, Reader *row)
{
	Packed		value;
	Reader		here;
	uint32		length;
	const char *text;

	if (!ct_read_array(reader, &length) || length != 2 ||
		!ct_read_text(reader, &text, &length) || text == NULL)
		return false;
	*key = pg_any_to_server(pnstrdup(text, length), length, PG_UTF8);
	*row = here = *reader;
	if (!ct_read_value(&here, &value) || !ct_skip_value(reader, 1))
		return false;
	row->end = value.kind == PACKED_NIL ? row->next : reader->next;
	return value.kind == PACKED_NIL || value.kind == PACKED_ARRAY;
}

/* Remember a row, or that there is none; the row that was asked for takes the place of any other. */
static void
remember_packed(TableScan *scan, char *key, Reader row, bool asked)
{
	MemoryContext before = MemoryContextSwitchTo(scan->memory);
	size_t		length = row.end - row.next;
	text	   *value = cstring_to_text(key);
	KeyedRow   *entry = enter(scan, value, !asked);

	pfree(value);
	if (entry && !asked)
		scan->ahead++;
	if (entry && length > 0)
	{
		entry->packed.next = memcpy(palloc(length), row.next, length);
		entry->packed.end = entry->packed.next + length;
	}
	MemoryContextSwitchTo(before);
}

/*
 * Take rows of keys, first that of the key of this scan: *slot gets it, NULL
 * when there is none, and all are remembered where they are of use.  False
 * when they are not such rows; "key" may be NULL where it need not be compared.
 */
bool
ct_take_keyed(TableScan *scan, const char *key, Reader rows, TupleTableSlot **slot)
{
	Reader		first = {NULL, NULL},
				row;
	uint32		count;
	char	   *found;
	bool		remember = has_key(scan);

	if (!ct_read_array(&rows, &count) || count == 0)
		return false;
	if (remember)
		prepare(scan);
	for (uint32 number = 0; number < count; number++)
	{
		if (!read_keyed(&rows, &found, &row) || (number == 0 && key && strcmp(found, key) != 0))
			return false;
		if (number == 0)
			first = row;
		if (remember && number > 0 && is_full(scan))
		{
			scan->most_ahead = scan->ahead / 2; /* the next ones are to have room */
			break;
		}
		if (remember)
			remember_packed(scan, found, row, number == 0);
	}
	scan->empty = true;			/* after this one */
	*slot = first.next == first.end ? NULL : ct_read_row(scan, &first);
	return true;
}
