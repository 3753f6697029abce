// What small control programs do, in one: sorting and searching of a linked list, products of small
// matrices of 16-bit numbers, a state machine that reads numbers, and a CRC over all their results.
//
// Of the class of the CoreMark benchmark, about 300,000 instructions a round; not that program: its
// source is written for this project, so its figures compare with nothing but themselves.
#include "program.h"

#define ITEMS 96
#define SEARCHES 40
#define SIZE 10
#define TEXT_BYTES 400

// CRC-16/ARC, bit by bit as on a part without a table.
static u16 crc_byte(u8 byte, u16 crc)
{
    for (u32 bit = 0; bit < 8; bit++) {
        u32 carry = (byte ^ crc) & 1;
        byte >>= 1;
        crc >>= 1;
        if (carry)
            crc ^= 0xa001;
    }
    return crc;
}

static u16 crc_half(u16 value, u16 crc)
{
    crc = crc_byte((u8)value, crc);
    return crc_byte((u8)(value >> 8), crc);
}

static u16 crc_word(u32 value, u16 crc)
{
    crc = crc_half((u16)value, crc);
    return crc_half((u16)(value >> 16), crc);
}

// A list of 16-bit keys; what an item stands for lies apart from its link.
struct datum {
    i16 key;
    i16 place;
};

struct item {
    struct item *next;
    struct datum *datum;
};

static struct item items[ITEMS];
static struct datum data[ITEMS];

typedef i32 compare(struct datum *, struct datum *, u16 *work);

static u16 state_machine(u8 *text, u32 bytes, u16 seed, u16 step, u16 crc);
static u16 matrices(u32 size, u16 seed, u16 crc);

static u8 text[TEXT_BYTES];

// The lowest seven bits of a key name a computation; bit 7 says that its result replaced them.
static i16 computed(struct datum *datum, u16 *work)
{
    u16 key = (u16)datum->key;
    if (key & 0x80)
        return (i16)(key & 0x7f);
    u16 seed = key >> 3 & 15;
    u16 result;
    switch (key & 7) {
    case 0:
        result = state_machine(text, TEXT_BYTES, (u16)(seed | seed << 4), 31, *work);
        break;
    case 1:
        result = matrices(SIZE, (u16)(seed + *work), *work);
        break;
    default:
        result = (u16)(key * 5 + seed);
    }
    *work = crc_half(result, *work);
    datum->key = (i16)((key & 0xff00) | 0x80 | (result & 0x7f));
    return (i16)(result & 0x7f);
}

static i32 compare_computed(struct datum *a, struct datum *b, u16 *work)
{
    i16 left = computed(a, work), right = computed(b, work);
    return left - right;
}

static i32 compare_place(struct datum *a, struct datum *b, u16 *work)
{
    (void)work;
    return a->place - b->place;
}

static struct item *reverse(struct item *list)
{
    struct item *done = 0;
    while (list) {
        struct item *next = list->next;
        list->next = done;
        done = list;
        list = next;
    }
    return done;
}

static struct item *find_place(struct item *list, i16 place)
{
    while (list && list->datum->place != place)
        list = list->next;
    return list;
}

static struct item *find_key(struct item *list, i16 low_bits)
{
    while (list && (list->datum->key & 0xff) != low_bits)
        list = list->next;
    return list;
}

// Merge sort from the bottom up, stable, without recursion.
static struct item *sort(struct item *list, compare *is_behind, u16 *work)
{
    for (u32 width = 1;; width *= 2) {
        struct item *left = list, *last = 0;
        u32 merges = 0;
        list = 0;
        while (left) {
            struct item *right = left;
            u32 left_count = 0, right_count = width;
            merges++;
            while (left_count < width && right) {
                left_count++;
                right = right->next;
            }
            while (left_count > 0 || (right_count > 0 && right)) {
                struct item *taken;
                if (left_count == 0) {
                    taken = right;
                    right = right->next;
                    right_count--;
                } else if (right_count == 0 || !right
                           || is_behind(left->datum, right->datum, work) <= 0) {
                    taken = left;
                    left = left->next;
                    left_count--;
                } else {
                    taken = right;
                    right = right->next;
                    right_count--;
                }
                if (last)
                    last->next = taken;
                else
                    list = taken;
                last = taken;
            }
            left = right;
        }
        last->next = 0;
        if (merges <= 1)
            return list;
    }
}

static struct item *make_list(u16 seed)
{
    for (u32 i = 0; i < ITEMS; i++) {
        u16 mixed = (u16)((seed ^ (i * 37)) & 0xff);
        u16 low = (u16)(i % 16 == 0 ? (i & 0x78) | (i / 16 & 1) : (mixed & 0x78) | 2 | (i & 5));
        data[i].key = (i16)(mixed << 8 | low);
        data[i].place = (i16)(i * 29 % ITEMS);
        items[i].datum = &data[i];
        items[i].next = i + 1 < ITEMS ? &items[i + 1] : 0;
    }
    return items;
}

static u16 lists(u16 seed, u16 crc)
{
    struct item *list = make_list(seed);
    u16 found = 0, missed = 0, sum = 0;
    for (u32 i = 0; i < SEARCHES; i++) {
        struct item *item =
            i & 1 ? find_key(list, (i16)(i * 5 & 0x7f)) : find_place(list, (i16)(i * 3 % (ITEMS + 8)));
        list = reverse(list);
        if (!item) {
            missed++;
            sum = (u16)(sum + (list->datum->key >> 8 & 1));
            continue;
        }
        found++;
        sum = (u16)(sum + (item->datum->key & 1) * 2);
        // Moves the item behind the one found to the front.
        if (item->next) {
            struct item *moved = item->next;
            item->next = moved->next;
            moved->next = list->next;
            list->next = moved;
        }
    }
    sum = (u16)(sum + found * 4 - missed);
    list = sort(list, compare_computed, &crc);
    for (struct item *item = list; item; item = item->next)
        crc = crc_half((u16)item->datum->key, crc);
    list = sort(list, compare_place, &crc);
    for (struct item *item = list; item; item = item->next)
        crc = crc_half((u16)item->datum->place, crc);
    return crc_half(sum, crc);
}

// Matrices of 16-bit numbers, products of 32 bits.
static i16 matrix_a[SIZE * SIZE], matrix_b[SIZE * SIZE];
static i32 matrix_c[SIZE * SIZE];

static i16 matrix_sum(u32 size, const i32 *c, i32 clip)
{
    i32 partial = 0, previous = 0;
    i16 result = 0;
    for (u32 i = 0; i < size; i++)
        for (u32 j = 0; j < size; j++) {
            i32 current = c[i * size + j];
            partial = (i32)((u32)partial + (u32)current);
            if (partial > clip) {
                result = (i16)(result + 10);
                partial = 0;
            } else {
                result = (i16)(result + (current > previous));
            }
            previous = current;
        }
    return result;
}

static void add_constant(u32 size, i16 *a, i16 constant)
{
    for (u32 i = 0; i < size; i++)
        for (u32 j = 0; j < size; j++)
            a[i * size + j] = (i16)(a[i * size + j] + constant);
}

static void multiply_constant(u32 size, i32 *c, const i16 *a, i16 constant)
{
    for (u32 i = 0; i < size; i++)
        for (u32 j = 0; j < size; j++)
            c[i * size + j] = (i32)a[i * size + j] * constant;
}

static void multiply_vector(u32 size, i32 *c, const i16 *a, const i16 *vector)
{
    for (u32 i = 0; i < size; i++) {
        u32 sum = 0;
        for (u32 j = 0; j < size; j++)
            sum += (u32)(a[i * size + j] * vector[j]);
        c[i] = (i32)sum;
    }
}

static void multiply(u32 size, i32 *c, const i16 *a, const i16 *b)
{
    for (u32 i = 0; i < size; i++)
        for (u32 j = 0; j < size; j++) {
            u32 sum = 0;
            for (u32 k = 0; k < size; k++)
                sum += (u32)(a[i * size + k] * b[k * size + j]);
            c[i * size + j] = (i32)sum;
        }
}

static void multiply_bits(u32 size, i32 *c, const i16 *a, const i16 *b)
{
    for (u32 i = 0; i < size; i++)
        for (u32 j = 0; j < size; j++) {
            i32 sum = 0;
            for (u32 k = 0; k < size; k++) {
                i32 product = (i32)a[i * size + k] * b[k * size + j];
                sum += (product >> 2 & 15) * (product >> 5 & 127);
            }
            c[i * size + j] = sum;
        }
}

static u16 matrices(u32 size, u16 seed, u16 crc)
{
    u32 order = 1;
    i32 value = seed | 1;
    for (u32 i = 0; i < size; i++)
        for (u32 j = 0; j < size; j++) {
            value = (i32)(order * (u32)value % 65536);
            i16 entry = (i16)(value + order);
            matrix_b[i * size + j] = entry;
            entry = (i16)((entry + order) & 0xff);
            matrix_a[i * size + j] = entry;
            order++;
        }
    i16 constant = (i16)seed;
    i32 clip = (i32)(0xf000 | seed);
    add_constant(size, matrix_a, constant);
    multiply_constant(size, matrix_c, matrix_a, constant);
    crc = crc_half((u16)matrix_sum(size, matrix_c, clip), crc);
    multiply_vector(size, matrix_c, matrix_a, matrix_b);
    crc = crc_half((u16)matrix_sum(size, matrix_c, clip), crc);
    multiply(size, matrix_c, matrix_a, matrix_b);
    crc = crc_half((u16)matrix_sum(size, matrix_c, clip), crc);
    multiply_bits(size, matrix_c, matrix_a, matrix_b);
    crc = crc_half((u16)matrix_sum(size, matrix_c, clip), crc);
    add_constant(size, matrix_a, (i16)-constant);
    return crc;
}

// Which kind of number a word of the text is, read one character at a time.
enum state { START, INVALID, SIGN, POINT, INTEGER, FRACTION, EXPONENT, EXPONENT_SIGN, SCIENTIFIC, STATES };

static u8 is_digit(u8 c)
{
    return c >= '0' && c <= '9';
}

// Reads one word, up to a comma or the end, and counts the transitions.
static enum state next_word(u8 **at, u32 *transitions)
{
    u8 *p = *at;
    enum state state = START;
    for (; *p && state != INVALID; p++) {
        u8 c = *p;
        if (c == ',') {
            p++;
            break;
        }
        switch (state) {
        case START:
            state = is_digit(c) ? INTEGER : c == '+' || c == '-' ? SIGN : c == '.' ? FRACTION : INVALID;
            transitions[START]++;
            break;
        case SIGN:
            state = is_digit(c) ? INTEGER : c == '.' ? FRACTION : INVALID;
            transitions[SIGN]++;
            break;
        case INTEGER:
            if (c == '.') {
                state = FRACTION;
                transitions[INTEGER]++;
            } else if (!is_digit(c)) {
                state = INVALID;
                transitions[INTEGER]++;
            }
            break;
        case FRACTION:
            if (c == 'E' || c == 'e') {
                state = EXPONENT;
                transitions[FRACTION]++;
            } else if (!is_digit(c)) {
                state = INVALID;
                transitions[FRACTION]++;
            }
            break;
        case EXPONENT:
            state = c == '+' || c == '-' ? EXPONENT_SIGN : INVALID;
            transitions[EXPONENT]++;
            break;
        case EXPONENT_SIGN:
            state = is_digit(c) ? SCIENTIFIC : INVALID;
            transitions[EXPONENT_SIGN]++;
            break;
        case SCIENTIFIC:
            if (!is_digit(c)) {
                state = INVALID;
                transitions[INVALID]++;
            }
            break;
        default:
            break;
        }
    }
    *at = p;
    return state;
}

static void fill_text(u32 bytes, u16 seed)
{
    static const char words[16][9] = {
        "5012,",   "1234,",    "-874,",    "+122,",    "35.54,",   ".1234,",   "-110.7,", "+0.64,",
        "5.5e+3,", "-.123e-2", ",-87e+83", ",+0.6e-1", "T0.3e-1F", ",-T.T++T", "1T3.4e4z", ",34.0e-T",
    };
    u32 at = 0;
    while (at + 10 < bytes) {
        const char *word = words[seed++ & 15];
        while (*word)
            text[at++] = (u8)*word++;
        if (text[at - 1] != ',')
            text[at++] = ',';
    }
    while (at < bytes)
        text[at++] = 0;
}

static u16 state_machine(u8 *bytes, u32 count, u16 seed, u16 step, u16 crc)
{
    u32 finals[STATES], transitions[STATES];
    for (u32 i = 0; i < STATES; i++)
        finals[i] = transitions[i] = 0;
    for (u8 *at = bytes; *at;)
        finals[next_word(&at, transitions)]++;
    // Spoils some characters, reads again, and mends them.
    for (u8 *at = bytes; at < bytes + count; at += step)
        if (*at != ',')
            *at ^= (u8)seed;
    for (u8 *at = bytes; at < bytes + count && *at;)
        finals[next_word(&at, transitions)]++;
    for (u8 *at = bytes; at < bytes + count; at += step)
        if ((*at ^ (u8)seed) != ',' && *at != ',')
            *at ^= (u8)seed;
    for (u32 i = 0; i < STATES; i++) {
        crc = crc_word(finals[i], crc);
        crc = crc_word(transitions[i], crc);
    }
    return crc;
}

PROGRAM(coremark)(u32 rounds, u32 seed)
{
    u16 crc = 0;
    for (u32 round = 0; round < rounds; round++) {
        fill_text(TEXT_BYTES, (u16)(seed + round));
        crc = lists((u16)(seed + round), crc);
        crc = crc_half((u16)round, crc);
    }
    return crc | (u32)text[31] << 16;
}
