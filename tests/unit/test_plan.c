/* Plans: round trips, damage, caps. */
#include "support/files.h"
#include "support/plans.h"
#include "support/tensors.h"

#include "lump/plan_format.h"

static counted_memory memory;
static coset_ctx *ctx;

static int start(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 1);
    files_start("plan");
    return 0;
}

static int end(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

static void expect_error(coset_status status, coset_status expected, const char *text)
{
    if (status != expected || strstr(coset_ctx_error(ctx), text) == NULL)
        fail_msg("%s, \"%s\"; expected %s, \"%s\"", coset_status_name(status), coset_ctx_error(ctx),
                 coset_status_name(expected), text);
}

static void ok(coset_status status)
{
    if (status != COSET_OK) fail_msg("%s: %s", coset_status_name(status), coset_ctx_error(ctx));
}

/* ---- both files ---------------------------------------------------------------------------------- */

static void round_trips_are_exact(void **state)
{
    (void)state;
    rng random = rng_seed(1, 0);
    for (int round = 0; round < 60; round++) {
        coset_plan *plan = plans_chain(ctx, &random, 1 + round % 4, round % 7, round % 3);
        coset_plan *back = NULL;
        ok(plan_save(ctx, plan, "plan.json"));
        ok(plan_load(ctx, "plan.json", &back));
        plans_same(plan, back);
        plan_free(ctx, plan);
        plan_free(ctx, back);
    }
    assert_int_equal(files_count("."), 2);
}

/* A saved plan is the same bytes each time, and so is one that was read back. */
static void saving_is_deterministic(void **state)
{
    (void)state;
    rng random = rng_seed(2, 0);
    coset_plan *plan = plans_chain(ctx, &random, 3, 5, 2), *back = NULL;
    ok(plan_save(ctx, plan, "a.json"));
    ok(plan_load(ctx, "a.json", &back));
    assert_int_equal(mkdir("again", 0777), 0);
    ok(plan_save(ctx, back, "again/a.json"));
    const char *names[2][2] = {{"a.json", "again/a.json"},
                               {"a.safetensors", "again/a.safetensors"}};
    for (int f = 0; f < 2; f++) {
        size_t first = 0, second = 0;
        char *a = files_get(names[f][0], &first), *b = files_get(names[f][1], &second);
        assert_int_equal(first, second);
        assert_memory_equal(a, b, first);
        free(a);
        free(b);
    }
    plan_free(ctx, plan);
    plan_free(ctx, back);
}

static void unknown_measures_are_null(void **state)
{
    (void)state;
    coset_plan *plan = plans_empty(ctx, 1, 0);
    plan->groups[0].height = (double)INFINITY;
    ok(plan_save(ctx, plan, "null.json"));
    char *text = files_get("null.json", NULL);
    assert_non_null(strstr(text, "\"height\":null,\"error\":null"));
    free(text);
    plan_free(ctx, plan);
}

static void matrices_lie_beside_the_plan(void **state)
{
    (void)state;
    const char *cases[][2] = {{"p.json", "p.safetensors"},
                              {"a.b/p", "a.b/p.safetensors"},
                              {"p.tar.gz", "p.tar.safetensors"},
                              {".p", ".p.safetensors"},
                              {"/x/.p.json", "/x/.p.safetensors"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = NULL;
        ok(plan_matrices_path(ctx, cases[i][0], &path));
        assert_string_equal(path, cases[i][1]);
        ctx_free(ctx, path);
    }
    char *path = NULL;
    expect_error(plan_matrices_path(ctx, "x/p.safetensors", &path), COSET_EARGUMENT, "x/p.safe");
    assert_null(path);
}

static void names_must_be_text(void **state)
{
    (void)state;
    coset_plan *plan = plans_empty(ctx, 1, 0);
    ctx_free(ctx, plan->groups[0].name);
    plan->groups[0].name = plans_text(ctx, "a\xff");
    expect_error(plan_save(ctx, plan, "bytes.json"), COSET_EARGUMENT, "not UTF-8");
    assert_int_equal(access("bytes.json", F_OK), -1);
    assert_int_equal(access("bytes.safetensors", F_OK), -1);
    plan_free(ctx, plan);
}

/* A failed save leaves both old files. */
static void a_failed_save_changes_nothing(void **state)
{
    (void)state;
    coset_plan *plan = plans_empty(ctx, 1, 0);
    assert_int_equal(mkdir("folder.json", 0777), 0);
    files_put_text("folder.safetensors", "old");
    expect_error(plan_save(ctx, plan, "folder.json"), COSET_EIO, "folder.json: is a folder");
    files_expect("folder.safetensors", "old");
    assert_int_equal(mkdir("other.safetensors", 0777), 0);
    files_put_text("other.json", "old");
    expect_error(plan_save(ctx, plan, "other.json"), COSET_EIO, "other.safetensors: is a folder");
    files_expect("other.json", "old");
    expect_error(plan_save(ctx, plan, "absent/p.json"), COSET_EIO, "absent/p");
    plan_free(ctx, plan);
}

static void matrices_must_be_those_of_the_plan(void **state)
{
    (void)state;
    rng random = rng_seed(3, 0);
    coset_plan *plan = plans_random(ctx, &random, 3, 1), *back = NULL;
    ok(plan_save(ctx, plan, "m.json"));
    size_t size = 0;
    char *bytes = files_get("m.safetensors", &size);
    bytes[size - 1] ^= 1;
    files_put("m.safetensors", bytes, size);
    expect_error(plan_load(ctx, "m.json", &back), COSET_EFORMAT, "m.json: 'm.safetensors' is not");
    bytes[size - 1] ^= 1;
    files_put("elsewhere", bytes, size);
    free(bytes);
    assert_int_equal(unlink("m.safetensors"), 0);
    assert_int_not_equal(plan_load(ctx, "m.json", &back), COSET_OK);
    assert_int_equal(symlink("elsewhere", "m.safetensors"), 0);
    assert_int_not_equal(plan_load(ctx, "m.json", &back), COSET_OK);
    assert_null(back);
    plan_free(ctx, plan);
    const char *outside[] = {"../m.safetensors", "/etc/passwd", "x/y", "", "."};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"format\":\"coset-plan\",\"version\":1,\"matrices\":\"%s\","
                 "\"matrices_sha256\":\"\",\"model_sha256\":\"\",\"groups\":[]}",
                 outside[i]);
        files_put_text("outside.json", text);
        assert_int_not_equal(plan_load(ctx, "outside.json", &back), COSET_OK);
        assert_non_null(strstr(coset_ctx_error(ctx), "outside.json"));
        assert_null(back);
    }
    expect_error(plan_load(ctx, "nowhere.json", &back), COSET_EIO, "nowhere.json");
}

/* ---- damage ---------------------------------------------------------------------------------------- */

/* Decodes from a copy that ends where the bytes end, so that sanitizers see every overrun. */
static coset_status decode(const char *json, size_t json_size, const char *data, size_t data_size,
                           coset_plan **plan_out)
{
    char *a = malloc(json_size + 1), *b = malloc(data_size + 1);
    assert_true(a != NULL && b != NULL);
    char *from_a = a + 1, *from_b = b + 1; /* not aligned */
    if (json_size > 0) memcpy(from_a, json, json_size);
    if (data_size > 0) memcpy(from_b, data, data_size);
    coset_status status =
        plan_decode(ctx, from_a, json_size, from_b, data_size, "plan.json", plan_out);
    free(a);
    free(b);
    return status;
}

/* A clean error, or a plan that is sound. */
static bool survives(const char *json, size_t json_size, const char *data, size_t data_size)
{
    coset_plan *plan = NULL;
    coset_status status = decode(json, json_size, data, data_size, &plan);
    assert_true((status == COSET_OK) == (plan != NULL));
    assert_true(status == COSET_OK || coset_ctx_error(ctx)[0] != '\0');
    for (const coset_plan *at = plan; at != NULL; at = at->next)
        for (int64_t g = 0; g < at->n_groups; g++)
            if (at->groups[g].map != NULL) ok(lumping_check(ctx, at->groups[g].map));
    plan_free(ctx, plan);
    return status == COSET_OK;
}

static void damage_is_refused_or_harmless(void **state)
{
    (void)state;
    rng random = rng_seed(4, 0);
    coset_plan *plan = plans_chain(ctx, &random, 2, 6, 2);
    ok(plan_save(ctx, plan, "d.json"));
    plan_free(ctx, plan);
    size_t sizes[2];
    char *files[2] = {files_get("d.json", &sizes[0]), files_get("d.safetensors", &sizes[1])};
    assert_true(survives(files[0], sizes[0], files[1], sizes[1]));
    for (int f = 0; f < 2; f++)
        for (size_t cut = 0; cut < sizes[f]; cut++) {
            size_t now[2] = {sizes[0], sizes[1]};
            now[f] = cut;
            /* All but the newline at the end of the JSON is needed. */
            if (f == 0 && cut == sizes[0] - 1) continue;
            assert_false(survives(files[0], now[0], files[1], now[1]));
        }
    int accepted = 0;
    for (int flip = 0; flip < 10000; flip++) {
        int f = flip % 2;
        size_t at = (size_t)rng_below(&random, (int64_t)sizes[f]);
        char bit = (char)(1 << rng_below(&random, 8));
        files[f][at] ^= bit;
        accepted += survives(files[0], sizes[0], files[1], sizes[1]);
        files[f][at] ^= bit;
    }
    printf("10000 flipped bits: %d plans still sound, the others refused\n", accepted);
    free(files[0]);
    free(files[1]);
}

#define PLAN(rest) "{\"format\":\"coset-plan\",\"version\":1,\"model_sha256\":\"\"" rest "}"
#define GROUP(rest) PLAN(",\"groups\":[{\"name\":\"g\",\"units\":2" rest "}]")
#define MAP                                                                                        \
    "{\"group.0.reduce\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]},"               \
    "\"group.0.scale\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[16,32]}}"

static const struct {
    const char *json;
    coset_status status;
    const char *text;
} plans[] = {
    {"", COSET_EFORMAT, "plan.json"},
    {"[]", COSET_EFORMAT, "object"},
    {"3", COSET_EFORMAT, "plan.json: line 1"},
    {"{\"a\":1,\"a\":2}", COSET_EFORMAT, "repeated key"},
    {"{} x", COSET_EFORMAT, "something follows"},
    {"{\"\x1b\":1}", COSET_EFORMAT, "plan.json: line 1"},
    {"{}", COSET_EFORMAT, "not a plan"},
    {"{\"format\":\"coset-plan\",\"version\":0}", COSET_EFORMAT, "version"},
    {"{\"format\":\"coset-plan\",\"version\":1.0}", COSET_EFORMAT, "version"},
    {"{\"format\":\"coset-plan\",\"version\":3}", COSET_EUNSUPPORTED, "version 3"},
    {"{\"format\":\"coset-plan\",\"version\":1}", COSET_EFORMAT, "model_sha256"},
    {PLAN(""), COSET_EFORMAT, "groups"},
    {PLAN(",\"groups\":{}"), COSET_EFORMAT, "groups"},
    {PLAN(",\"groups\":[],\"masks\":3"), COSET_EFORMAT, "masks"},
    {PLAN(",\"groups\":[3]"), COSET_EFORMAT, "plan.json: group 0: is not an object"},
    {PLAN(",\"groups\":[{\"name\":1}]"), COSET_EFORMAT, "name"},
    {PLAN(",\"groups\":[{\"name\":\"g\",\"units\":-1}]"), COSET_EFORMAT, "units"},
    {PLAN(",\"groups\":[{\"name\":\"g\",\"units\":1e3}]"), COSET_EFORMAT, "units"},
    {GROUP(",\"method\":4"), COSET_EFORMAT, "method"},
    {GROUP(",\"height\":\"x\""), COSET_EFORMAT, "height"},
    {GROUP(",\"height\":1e999"), COSET_EFORMAT, "too large"},
    {GROUP(",\"scores\":1"), COSET_EFORMAT, "\"scores\" must list 2 units"},
    {GROUP(",\"scores\":[]"), COSET_EFORMAT, "\"scores\" must list 2 units"},
    {GROUP(",\"scores\":[1,2,3]"), COSET_EFORMAT, "\"scores\" must list 2 units"},
    {GROUP(",\"scores\":[1,null]"), COSET_EFORMAT, "entry 1 of \"scores\""},
    {GROUP(",\"scores\":[\"x\",2]"), COSET_EFORMAT, "entry 0 of \"scores\""},
    {GROUP(",\"scores\":[1e999,2]"), COSET_EFORMAT, "too large"},
    {GROUP(",\"kept\":[0]"), COSET_EFORMAT, "kept"},
    {GROUP(",\"kept\":[],\"blocks\":[-1,-1]"), COSET_EFORMAT, "keeps 0 of 2"},
    {GROUP(",\"kept\":[0,1,2],\"blocks\":[0,1]"), COSET_EFORMAT, "kept"},
    {GROUP(",\"kept\":[0],\"blocks\":[0]"), COSET_EFORMAT, "blocks"},
    {GROUP(",\"kept\":[0],\"blocks\":[0,0.5]"), COSET_EFORMAT, "entry 1 of \"blocks\""},
    {GROUP(",\"kept\":[0],\"blocks\":[0,1]"), COSET_EFORMAT, "block 1 of 1"},
    {GROUP(",\"kept\":[0],\"blocks\":[0,-2]"), COSET_EFORMAT, "block -2"},
    {GROUP(",\"kept\":[1],\"blocks\":[0,-1]"), COSET_EFORMAT, "does not lie in the block"},
    {GROUP(",\"kept\":[1,0],\"blocks\":[0,1]"), COSET_EFORMAT, "does not lie"},
    {GROUP(",\"kept\":[0,0],\"blocks\":[0,0]"), COSET_EFORMAT, "ascend"},
    {GROUP(",\"kept\":[9223372036854775807],\"blocks\":[0,0]"), COSET_EFORMAT, "ascend"},
    {GROUP(",\"kept\":[9223372036854775808],\"blocks\":[0,0]"), COSET_EFORMAT, "too large"},
    {PLAN(",\"groups\":[],\"masks\":[{\"weight\":\"w\",\"elements\":3}]"), COSET_EFORMAT,
     "mask.0.keep"},
    {PLAN(",\"groups\":[],\"masks\":[[]]"), COSET_EFORMAT, "plan.json: mask 0"},
    {PLAN(",\"groups\":[],\"next\":{}"), COSET_EFORMAT, "\"next\" must be a list"},
    {PLAN(",\"groups\":[],\"next\":[7]"), COSET_EFORMAT, "plan.json: next 0: is not an object"},
    {PLAN(",\"groups\":[],\"next\":[{\"groups\":[]},{}]"), COSET_EFORMAT, "next 1: \"groups\""},
    {PLAN(",\"groups\":[],\"next\":[{\"groups\":[{\"name\":\"g\",\"units\":2,\"kept\":[0],"
          "\"blocks\":[0,0]}]}]"),
     COSET_EFORMAT, "next 0: group 0: the matrices need a tensor 'next.0.group.0.reduce'"},
};

static void damaged_plans_are_named(void **state)
{
    (void)state;
    size_t size = 0;
    char *data = tensors(MAP, 32, &size);
    coset_plan *plan = NULL;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        expect_error(decode(plans[i].json, strlen(plans[i].json), data, size, &plan),
                     plans[i].status, plans[i].text);
        assert_null(plan);
        assert_null(strpbrk(coset_ctx_error(ctx), "\n\x1b"));
    }
    const char *fine = GROUP(",\"kept\":[0],\"blocks\":[0,-1],\"scores\":[3,-0.5],\"new\":[{}]");
    ok(decode(fine, strlen(fine), data, size, &plan));
    assert_true(plan->groups[0].map->k == 1 && plan->n_masks == 0 && plan->method == NULL);
    assert_true(plan->groups[0].score[0] == 3 && plan->groups[0].score[1] == -0.5);
    plan_free(ctx, plan);
    plan = NULL;
    data[size - 1] = 0x7f; /* NaN */
    data[size - 2] = (char)0xf8;
    expect_error(decode(fine, strlen(fine), data, size, &plan), COSET_ENUMERIC, "not finite");
    free(data);
    const char *wrong[] = {
        "{}", "{\"group.0.reduce\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
        "{\"group.0.reduce\":{\"dtype\":\"F64\",\"shape\":[1,2],\"data_offsets\":[0,16]}}",
        "{\"group.0.reduce\":{\"dtype\":\"F64\",\"shape\":[3],\"data_offsets\":[0,24]}}"};
    const size_t lengths[] = {0, 8, 16, 24};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        data = tensors(wrong[i], lengths[i], &size);
        expect_error(decode(fine, strlen(fine), data, size, &plan), COSET_EFORMAT,
                     "'group.0.reduce' of type F64 and shape [2]");
        free(data);
    }
}

/* Slopes belong to units that leave; only with them may none be left. */
static void slopes_are_checked(void **state)
{
    (void)state;
    const char *none = GROUP(",\"kept\":[],\"blocks\":[-1,-1]");
    const char *first = GROUP(",\"kept\":[0],\"blocks\":[0,-1]");
    const char *both = GROUP(",\"kept\":[0,1],\"blocks\":[0,1]");
    const char *header =
        "{\"group.0.reduce\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]},"
        "\"group.0.scale\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[16,32]},"
        "\"group.0.slope\":{\"dtype\":\"F64\",\"shape\":[%s],\"data_offsets\":[32,%d]}%s}";
    const double slopes[] = {0, 2};
    char text[512];
    size_t size = 0;
    coset_plan *plan = NULL;
    snprintf(text, sizeof text, header, "2", 48, "");
    char *data = tensors(text, 48, &size);
    memcpy(data + size - 16, slopes, 16);
    ok(decode(none, strlen(none), data, size, &plan));
    assert_true(plan->groups[0].map->k == 0 && plan->groups[0].map->slope[1] == 2);
    plan_free(ctx, plan);
    ok(decode(first, strlen(first), data, size, &plan));
    plan_free(ctx, plan);
    expect_error(decode(both, strlen(both), data, size, &plan), COSET_EFORMAT,
                 "group 0: unit 1 is bypassed and lies in block 1");
    assert_null(plan);
    const double infinite[] = {0, (double)INFINITY};
    memcpy(data + size - 16, infinite, 16);
    expect_error(decode(first, strlen(first), data, size, &plan), COSET_ENUMERIC, "not finite");
    free(data);
    snprintf(text, sizeof text, header, "3", 56, "");
    data = tensors(text, 56, &size);
    expect_error(decode(first, strlen(first), data, size, &plan), COSET_EFORMAT, "group.0.slope");
    free(data);
    snprintf(text, sizeof text, header, "2", 48,
             ",\"group.0.lift\":{\"dtype\":\"F64\",\"shape\":[2,1],\"data_offsets\":[48,64]}");
    data = tensors(text, 64, &size);
    expect_error(decode(first, strlen(first), data, size, &plan), COSET_EFORMAT, "dense lift");
    free(data);
}

static void masks_hold_zeros_and_ones(void **state)
{
    (void)state;
    const char *json = PLAN(",\"groups\":[],\"masks\":[{\"weight\":\"w\",\"elements\":3}]");
    size_t size = 0;
    coset_plan *plan = NULL;
    char *data = tensors(
        "{\"mask.0.keep\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}", 3, &size);
    data[size - 1] = 1;
    ok(decode(json, strlen(json), data, size, &plan));
    assert_true(plan->masks[0].keep[1] == 0 && plan->masks[0].keep[2] == 1);
    plan_free(ctx, plan);
    data[size - 1] = 2;
    expect_error(decode(json, strlen(json), data, size, &plan), COSET_EFORMAT, "mask 0");
    free(data);
}

/* ---- caps, just under and just over ------------------------------------------------------------------ */

static void entries_are_capped(void **state)
{
    (void)state;
    for (int64_t n = PLAN_ENTRIES; n <= PLAN_ENTRIES + 1; n++) {
        coset_status expected = n <= PLAN_ENTRIES ? COSET_OK : COSET_ELIMIT;
        coset_plan *plan = plans_empty(ctx, n, 0), *back = NULL;
        assert_int_equal(plan_save(ctx, plan, "many.json"), expected);
        plan_free(ctx, plan);
        char *text = malloc((size_t)n * 24 + 128);
        assert_non_null(text);
        char *at = text + sprintf(text, "{\"format\":\"coset-plan\",\"version\":1,"
                                        "\"model_sha256\":\"\",\"groups\":[");
        for (int64_t g = 0; g < n; g++)
            at += sprintf(at, "%s{\"name\":\"\",\"units\":1}", g > 0 ? "," : "");
        at += sprintf(at, "]}");
        size_t size = 0;
        char *data = tensors("{}", 0, &size);
        assert_int_equal(decode(text, (size_t)(at - text), data, size, &back), expected);
        plan_free(ctx, back);
        free(text);
        free(data);
    }
    coset_plan *back = NULL;
    ok(plan_load(ctx, "many.json", &back));
    assert_int_equal(back->n_groups, PLAN_ENTRIES);
    plan_free(ctx, back);
}

static void units_are_capped(void **state)
{
    (void)state;
    const int64_t most = PLAN_UNITS / 2;
    for (int64_t n = most; n <= most + 1; n++) {
        coset_plan *plan = plans_empty(ctx, 1, 0), *back = NULL;
        plan->groups[0].units = n;
        ok(lumping_identity(ctx, n, &plan->groups[0].map));
        coset_status status = plan_save(ctx, plan, "wide.json");
        assert_int_equal(status, n == most ? COSET_OK : COSET_ELIMIT);
        if (n == most) {
            ok(plan_load(ctx, "wide.json", &back));
            plans_same(plan, back);
            plan_free(ctx, back);
        }
        ok(ctx_alloc(ctx, n, sizeof(double), &plan->groups[0].score));
        assert_int_equal(plan_save(ctx, plan, "scored.json"), COSET_ELIMIT); /* they count, too */
        plan_free(ctx, plan);
    }
}

/* PLAN_STEPS plans make a chain, one more does not; and what they hold together is capped like one plan. */
static void chains_are_capped(void **state)
{
    (void)state;
    size_t size = 0;
    char *data = tensors("{}", 0, &size), text[8192];
    for (int n = PLAN_STEPS; n <= PLAN_STEPS + 1; n++) {
        coset_status expected = n <= PLAN_STEPS ? COSET_OK : COSET_ELIMIT;
        coset_plan *plan = plans_empty(ctx, 0, 0), *back = NULL, *last = plan;
        for (int p = 1; p < n; p++, last = last->next) last->next = plans_empty(ctx, 0, 0);
        assert_int_equal(plan_save(ctx, plan, "long.json"), expected);
        plan_free(ctx, plan);
        char *at = text + sprintf(text, "{\"format\":\"coset-plan\",\"version\":2,"
                                        "\"model_sha256\":\"\",\"groups\":[],\"next\":[");
        for (int p = 1; p < n; p++) at += sprintf(at, "%s{\"groups\":[]}", p > 1 ? "," : "");
        at += sprintf(at, "]}");
        assert_int_equal(decode(text, (size_t)(at - text), data, size, &back), expected);
        plan_free(ctx, back);
    }
    free(data);
    coset_plan *plan = plans_empty(ctx, PLAN_ENTRIES - 1, 0), *back = NULL;
    plan->next = plans_empty(ctx, 1, 0);
    ok(plan_save(ctx, plan, "many.json"));
    ok(plan_load(ctx, "many.json", &back));
    plans_same(plan, back);
    plan_free(ctx, back);
    plan->next->next = plans_empty(ctx, 1, 0);
    expect_error(plan_save(ctx, plan, "many.json"), COSET_ELIMIT, "groups and masks");
    plan_free(ctx, plan);
}

/* A reader of version 1 would apply the first plan alone: only plans without a second one say version 1. */
static void chains_are_a_version_of_their_own(void **state)
{
    (void)state;
    coset_plan *plan = plans_empty(ctx, 1, 0);
    for (int version = 1; version <= 2; version++) {
        char expected[32];
        sprintf(expected, "\"version\": %d,", version);
        ok(plan_save(ctx, plan, "version.json"));
        char *text = files_get("version.json", NULL);
        assert_non_null(strstr(text, expected));
        free(text);
        if (version == 1) plan->next = plans_empty(ctx, 1, 0);
    }
    plan_free(ctx, plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(round_trips_are_exact, start, end),
        cmocka_unit_test_setup_teardown(saving_is_deterministic, start, end),
        cmocka_unit_test_setup_teardown(unknown_measures_are_null, start, end),
        cmocka_unit_test_setup_teardown(matrices_lie_beside_the_plan, start, end),
        cmocka_unit_test_setup_teardown(names_must_be_text, start, end),
        cmocka_unit_test_setup_teardown(a_failed_save_changes_nothing, start, end),
        cmocka_unit_test_setup_teardown(matrices_must_be_those_of_the_plan, start, end),
        cmocka_unit_test_setup_teardown(damage_is_refused_or_harmless, start, end),
        cmocka_unit_test_setup_teardown(damaged_plans_are_named, start, end),
        cmocka_unit_test_setup_teardown(slopes_are_checked, start, end),
        cmocka_unit_test_setup_teardown(masks_hold_zeros_and_ones, start, end),
        cmocka_unit_test_setup_teardown(entries_are_capped, start, end),
        cmocka_unit_test_setup_teardown(units_are_capped, start, end),
        cmocka_unit_test_setup_teardown(chains_are_capped, start, end),
        cmocka_unit_test_setup_teardown(chains_are_a_version_of_their_own, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
