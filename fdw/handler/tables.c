/*-------------------------------------------------------------------------
 *
 * tables.c
 *		What the worker knows of foreign tables.
 *
 * A table is told to the worker once for each user, whose mapping it has, and
 * again after a change of anything that belongs to it.
 *
 *-------------------------------------------------------------------------
 */
#include "cloudtrail_fdw.h"

#include "access/table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#define MOST_TOLD	1000		/* tables that a worker knows at a time */

typedef struct ToldTable
{
	Oid			table;			/* these two are the key */
	Oid			user;
	uint32		number;			/* that the worker has it under */
	uint32		generation;		/* of the worker that knows it */
	bool		valid;
} ToldTable;

static HTAB *told = NULL;
static uint32 last_number = 0;


/* Something of foreign tables has changed: tell of them again. */
static void
forget_tables(void)
{
	HASH_SEQ_STATUS all;
	ToldTable  *entry;

	hash_seq_init(&all, told);
	while ((entry = hash_seq_search(&all)) != NULL)
		entry->valid = false;
}

#if PG_VERSION_NUM >= 190000
#error "check the signature of invalidation callbacks"
#endif

static void
catalog_changed(Datum arg UNUSED, int cache UNUSED, uint32 hash UNUSED)
{
	forget_tables();
}

static void
relation_changed(Datum arg UNUSED, Oid relation)
{
	HASH_SEQ_STATUS all;
	ToldTable  *entry;

	hash_seq_init(&all, told);
	while ((entry = hash_seq_search(&all)) != NULL)
		entry->valid &= OidIsValid(relation) && entry->table != relation;
}

/* Have a table of tables, with room in it: those told later take the numbers of those before. */
static void
prepare(void)
{
	HASHCTL		how = {.keysize = 2 * sizeof(Oid), .entrysize = sizeof(ToldTable)};
	int			caches[] = {FOREIGNTABLEREL, FOREIGNSERVEROID, USERMAPPINGOID,
	FOREIGNDATAWRAPPEROID};
	HTAB	   *before = told;

	if (before && hash_get_num_entries(before) < MOST_TOLD)
		return;
	told = hash_create("cloudtrail_fdw tables", 16, &how, HASH_ELEM | HASH_BLOBS);
	last_number = 0;
	if (before)
	{
		hash_destroy(before);
		return;
	}
	for (size_t number = 0; number < lengthof(caches); number++)
		CacheRegisterSyscacheCallback(caches[number], catalog_changed, (Datum) 0);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
}

void
ct_put_string(Writer *writer, const char *string)
{
	char	   *text = string ? pg_server_to_any(string, strlen(string), PG_UTF8) : NULL;

	if (text)
		ct_put_text(writer, text, strlen(text));
	else
		ct_put_nil(writer);
}

/* Options of several kinds, name after value, the later of one name counting. */
void
ct_put_options(Writer *writer, List *options)
{
	ListCell   *cell;

	ct_put_array(writer, 2 * list_length(options));
	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		ct_put_string(writer, option->defname);
		ct_put_string(writer, defGetString(option));
	}
}

/* The options of a user's mapping, none where there is no mapping. */
static List *
mapping_options(Oid user, Oid server)
{
	if (!SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(user),
							   ObjectIdGetDatum(server)) &&
		!SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid),
							   ObjectIdGetDatum(server)))
		return NIL;
	return GetUserMapping(user, server)->options;
}

/* The foreign-data wrapper of a table. */
Oid
ct_table_wrapper(Oid table)
{
	return GetForeignServer(GetForeignTable(table)->serverid)->fdwid;
}

static void
put_columns(Writer *writer, Oid table)
{
	Relation	relation = table_open(table, NoLock);
	TupleDesc	layout = RelationGetDescr(relation);
	int			count = 0;

	for (int column = 0; column < layout->natts; column++)
		count += !TupleDescAttr(layout, column)->attisdropped;
	ct_put_array(writer, count);
	for (int column = 0; column < layout->natts; column++)
	{
		if (!TupleDescAttr(layout, column)->attisdropped)
			ct_put_string(writer, NameStr(TupleDescAttr(layout, column)->attname));
	}
	table_close(relation, NoLock);
}

/* Tell the worker of a table. */
static void
tell(ToldTable *entry)
{
	ForeignTable *table = GetForeignTable(entry->table);
	ForeignServer *server = GetForeignServer(table->serverid);
	List	   *options = list_concat_copy(table->options, server->options);
	Writer	   *draft = ct_worker_draft();
	uint32		request = ct_worker_number(FRAME_REQUEST);
	size_t		begin = ct_begin_frame(draft, 'O', request);

	ct_put_array(draft, 3);
	ct_put_int(draft, entry->number);
	ct_put_options(draft, list_concat(options, mapping_options(entry->user, table->serverid)));
	put_columns(draft, entry->table);
	ct_end_frame(draft, begin);
	if (ct_worker_ask(draft, request, get_rel_name(entry->table)) != 'R')
		ct_worker_rubbish();
}

/* The number that a worker, which is ready then, has a table under for a user. */
uint32
ct_table_number(Oid table, Oid user)
{
	Oid			key[2] = {table, user};
	ToldTable  *entry;
	bool		found;

	prepare();
	ct_worker_ready(ct_table_wrapper(table));
	entry = hash_search(told, key, HASH_ENTER, &found);
	if (!found)
	{
		entry->number = ++last_number;
		entry->valid = false;
	}
	while (!entry->valid || entry->generation != ct_worker_generation)
	{
		entry->valid = true;	/* unless it is changed meanwhile */
		entry->generation = 0;
		tell(entry);
		entry->generation = ct_worker_generation;
	}
	return entry->number;
}
