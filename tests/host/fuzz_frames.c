/*
 * Frames that no worker of ours sends, for frames.c, under AddressSanitizer:
 *
 *	fuzz_frames SEED COUNT
 *
 * Each frame is a good one with some of its bytes changed, cut off, or
 * doubled, in memory of just its size, so that a byte too far is seen.  What
 * passes the check is read as remote.c and known.c read it.
 */
#include "../../fdw/handler/frames.c"

#include <stdio.h>

static uint64_t state;

static uint32_t
random_below(uint32_t limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t) (state >> 32) % limit;
}

/* A value of some kind, arrays in arrays included. */
static void
put_any(Writer *writer, int depth)
{
	static const char *texts[] = {"", "alpha", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		"a text of more than thirty-two bytes, so that its length is told apart"};
	uint32_t	length;
	const char *text;

	switch (random_below(depth > 0 ? 8 : 5))
	{
		case 0:
			ct_put_nil(writer);
			return;
		case 1:
			ct_put_bool(writer, random_below(2));
			return;
		case 2:
			ct_put_int(writer, (int64_t) random_below(1 << 30) - (1 << 29));
			return;
		case 3:
		case 4:
			text = texts[random_below(4)];
			ct_put_text(writer, text, strlen(text));
			return;
		default:
			length = random_below(6);
			ct_put_array(writer, length);
			while (length-- > 0)
				put_any(writer, depth - 1);
	}
}

/* An answer that is as it should be, or almost. */
static char
put_answer(Writer *writer)
{
	char		type = ANSWERS[random_below(strlen(ANSWERS))];
	uint32_t	rows = 1 + random_below(4);

	if (random_below(8) == 0)
		put_any(writer, DEEPEST);
	else if (type == 'E')
	{
		ct_put_array(writer, 4);
		for (int number = 0; number < 4; number++)
			ct_put_text(writer, "HV00L", 5);
	}
	else if (type == 'H')
	{
		ct_put_array(writer, 2);
		ct_put_int(writer, PROTOCOL);
		ct_put_array(writer, 1);
		ct_put_text(writer, "name", 4);
	}
	else if (type == 'P')
	{
		ct_put_array(writer, rows);
		while (rows-- > 0)
		{
			ct_put_array(writer, 2);
			ct_put_text(writer, "key", 3);
			put_any(writer, 1);
		}
	}
	else
		put_any(writer, 3);
	return type;
}

/* Read every value, and sum up every byte of every text, so that each is touched. */
static uint32_t
read_all(Reader reader)
{
	Packed		value;
	uint32_t	sum = 0;

	while (reader.next < reader.end)
	{
		if (!ct_read_value(&reader, &value))
			abort();			/* the check let it pass */
		if (value.kind == PACKED_TEXT)
		{
			for (uint32_t at = 0; at < value.length; at++)
			{
				if (value.text[at] == 0)
					abort();
				sum += (unsigned char) value.text[at];
			}
		}
	}
	return sum;
}

int
main(int count, char **arguments)
{
	uint64_t	passed = 0;
	uint32_t	sum = 0;
	Writer		writer = {0};

	if (count != 3)
		return 2;
	state = strtoull(arguments[1], NULL, 10) * 2654435761u + 1;
	for (uint64_t left = strtoull(arguments[2], NULL, 10); left > 0; left--)
	{
		FrameHead	head;
		char		type,
				   *frame;
		size_t		length;

		writer.length = 0;
		type = put_answer(&writer);
		for (uint32_t changes = random_below(4); changes > 0 && writer.length > 0; changes--)
		{
			uint32_t	at = random_below(writer.length);

			if (random_below(4) == 0)
				writer.length = at;
			else
				writer.data[at] = (char) random_below(256);
		}
		length = writer.length;
		frame = malloc(length ? length : 1);
		memcpy(frame, writer.data, length);
		if (length >= FRAME_HEAD)
			sum += ct_read_head(frame, &head);
		if (ct_check_answer(type, frame, length))
		{
			passed++;
			sum += read_all((Reader) {(unsigned char *) frame, (unsigned char *) frame + length});
		}
		free(frame);
	}
	free(writer.data);
	printf("%llu passed, sum %u\n", (unsigned long long) passed, sum);
	return passed > 0 ? 0 : 1;
}
