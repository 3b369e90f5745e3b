/* Tables: what cells are, the three formats, what is refused and where, and the real files. */
#include "support/samples.h"

#include <math.h>

#include "data/cell.h"

/* Loads a text as the training part with the same rows as a test part: no split, order kept. */
static coset_data *load_text(coset_ctx *ctx, const char *name, const char *text, const char *target)
{
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    files_put_text(name, text);
    options.target = target;
    options.test = name;
    return load(ctx, name, &options);
}

/* The training part, which is the first half of what is shown. */
static void expect_rows(coset_ctx *ctx, const char *name, const char *text, const char *target,
                        const char *rows)
{
    coset_data *data = load_text(ctx, name, text, target);
    char *found = shown(ctx, data);
    assert_int_equal(strlen(found), 2 * strlen(rows));
    found[strlen(rows)] = '\0';
    assert_string_equal(found, rows);
    coset_data_free(ctx, data);
}

/* ---- cells ------------------------------------------------------------------------------------- */

static void test_numbers(void **state)
{
    static const char *const numbers[] = {
        "0",
        "-0",
        "1",
        "+2.5",
        ".5",
        "5.",
        "1e3",
        "1E-3",
        "-1.25e+02",
        "123456789012345678",
        "0.1",
        "1e22",
        "1e23",
        "9007199254740993",
        "402.43200000000000003",
        "1.7976931348623157e308",
        "4.9e-324",
        "2.2250738585072011e-308",
        "1e400",
        "-1e400",
        "1e-400",
        "inf",
        "-Infinity",
        "0.000000000000000000000000000000000000000000000000000000000001",
        "1e99999999999999999999",
        "18014398509481985",
        "3.1415926535897932384626433832795028841971693993751"};
    static const char *const others[] = {"",    "-",     ".",       "e5",  "1e",    "1e+",
                                         "1 ",  " 1",    "0x10",    "1,5", "1.2.3", "12a",
                                         "--1", "1_000", "infinit", "abc", "1e5.0"};
    double value = 0;
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        /* The C locale holds in tests, so that strtod is a judge. */
        assert_true(cell_number(numbers[i], strlen(numbers[i]), '.', &value));
        double expected = strtod(numbers[i], NULL);
        assert_memory_equal(&value, &expected, sizeof value);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (cell_number(others[i], strlen(others[i]), '.', &value)) fail_msg("%s", others[i]);
    assert_true(cell_number("nan", 3, '.', &value) && isnan(value));
    assert_true(cell_number("1,5", 3, ',', &value) && value == 1.5);
    assert_true(cell_number("1,50000000000000000000001", 25, ',', &value) && value == 1.5);
    assert_true(cell_number("2.5", 3, ',', &value) && value == 2.5);
    assert_false(cell_number("1.000,5", 7, ',', &value));
    char digits[900];
    memset(digits, '1', sizeof digits);
    assert_true(cell_number(digits, 300, '.', &value));
    assert_false(cell_number(digits, sizeof digits, '.', &value));
    /* Random digits and exponents, around the border of the short way. */
    rng random = rng_seed(7, 0);
    for (int i = 0; i < 20000; i++) {
        char text[64];
        int length =
            snprintf(text, sizeof text, "%lld.%llde%d", (long long)rng_below(&random, 100000000),
                     (long long)rng_below(&random, 1000000000), (int)rng_below(&random, 70) - 35);
        double expected = strtod(text, NULL);
        assert_true(cell_number(text, (size_t)length, '.', &value));
        assert_memory_equal(&value, &expected, sizeof value);
    }
}

static void test_missing_and_dates(void **state)
{
    static const char *const missing[] = {"", "?", "NA", "na", "N/A", "NaN", "nan", "NULL", "#N/A"};
    static const char *const present[] = {"None", "0", "-", "nana", "?!", "no"};
    static const char *const dates[] = {
        "2012-10-02", "2012-10-02 09:00", "2012-10-02T09:00:00Z", "2/10/2012",       "10/2/12",
        "02.10.2012", "2 Oct 2012",       "Oct 2, 2012",          "12-Jan-12",       "9:00",
        "09:00:30.5", "9:00 AM",          "2012/10/02",           "1 September 2020"};
    static const char *const others[] = {
        "1.2.3",      "192.168.1.1", "12-34",     "1-2-3-4",  "red",
        "may be 2 3", "a:b",         "1:2",       "20121002", "2012-10",
        "5-x-2012",   "Jan Feb 3",   "12345-1-1", "1/2-2012", "scattered clouds"};
    (void)state;
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++)
        assert_true(cell_missing(missing[i], strlen(missing[i])));
    for (size_t i = 0; i < sizeof present / sizeof present[0]; i++)
        assert_false(cell_missing(present[i], strlen(present[i])));
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++)
        if (!cell_date(dates[i], strlen(dates[i]))) fail_msg("%s", dates[i]);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (cell_date(others[i], strlen(others[i]))) fail_msg("%s", others[i]);
}

/* ---- tables ------------------------------------------------------------------------------------ */

static void test_csv(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    files_start("csv");
    expect_rows(ctx, "a.csv", "a,b,y\n1,2,3\n4,5,6\n", NULL, "1 2 | 3\n4 5 | 6\n");
    expect_rows(ctx, "a.csv", "a,b,y\n1,2,3\n4,5,6\n", "a", "2 3 | 1\n5 6 | 4\n");
    expect_rows(ctx, "a.csv", "a,b,y\n1,2,3\n4,5,6\n", "1", "1 3 | 2\n4 6 | 5\n");
    expect_rows(ctx, "a.csv", "a,b,y\n1,2,3\n4,5,6\n", "-3", "2 3 | 1\n5 6 | 4\n");
    expect_rows(ctx, "a.csv", "a,b,y\n1,2,3\n4,5,6\n", "none", "1 2 3 \n4 5 6 \n");
    /* No header, a mark, CRLF and CR, no end of the last line, blank lines, blanks around cells. */
    expect_rows(ctx, "a.csv", "1,2\n3,4", NULL, "1 | 2\n3 | 4\n");
    expect_rows(ctx, "a.csv",
                "\xEF\xBB\xBF"
                "a,b\r\n1, 2\r\n\r\n 3 ,4\r\n",
                NULL, "1 | 2\n3 | 4\n");
    expect_rows(ctx, "a.csv", "a,b\r1,2\r3,4\r", "b", "1 | 2\n3 | 4\n");
    /* Separators: semicolons with decimal commas, tabs. */
    expect_rows(ctx, "a.csv", "a;b\n1,5;2\n3.5;4,25\n", NULL, "1.5 | 2\n3.5 | 4.25\n");
    expect_rows(ctx, "a.tsv", "a\tb\n1\t2\n3\t4\n", NULL, "1 | 2\n3 | 4\n");
    /* Quotes: separators, quotes and line ends inside. */
    expect_rows(ctx, "a.csv", "\"a,\"\"x\"\"\",\"b\n2\"\n1,\"2\"\n3,\"4\" \n", "a,\"x\"",
                "2 | 1\n4 | 3\n");
    /* Categories in order of first appearance, one column for each; a target of them is a class. */
    expect_rows(ctx, "a.csv", "c,v,y\nred,1,b\nblue,2,a\nred,3,b\n\"green, dark\",4,c\n", NULL,
                "1 0 0 1 | class 0\n0 1 0 2 | class 1\n1 0 0 3 | class 0\n0 0 1 4 | class 2\n");
    expect_rows(ctx, "a.csv", "c,y\nred,b\nblue,a\nred,b\n", "c",
                "1 0 | class 0\n0 1 | class 1\n1 0 | class 0\n");
    /* Only text, where the first row comes again: no header. */
    expect_rows(ctx, "a.csv", "x,a\ny,b\nx,a\ny,b\n", NULL,
                "1 0 | class 0\n0 1 | class 1\n1 0 | class 0\n0 1 | class 1\n");
    /* Quoted NA is a word. */
    expect_rows(ctx, "a.csv", "c,y\n\"NA\",1\nb,2\n", NULL, "1 0 | 1\n0 1 | 2\n");
    counted_ctx_end(ctx, &memory);
}

static void test_text(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    files_start("text");
    expect_rows(ctx, "a.txt", "# no header\n1 2\t3 \n  4 5 6\r\n\n%end\n", NULL,
                "1 2 | 3\n4 5 | 6\n");
    expect_rows(ctx, "a.dat", "a b\n1 2\n3 4\n", "a", "2 | 1\n4 | 3\n");
    expect_rows(ctx, "a.data", "M,1,2\nF,3,4\nM,5,6\n", NULL, "1 0 1 | 2\n0 1 3 | 4\n1 0 5 | 6\n");
    expect_rows(ctx, "a.txt", "# comment, with commas\n1 2\n3 4\n", NULL, "1 | 2\n3 | 4\n");
    counted_ctx_end(ctx, &memory);
}

static void test_arff(void **state)
{
    static const char declared[] =
        "% comment, with 'quotes\n@RELATION 'some thing'\n\n"
        "@Attribute 'Sex of it' { M, F,'I \\'x'}\r\n@ATTRIBUTE w REAL [0,1]\n"
        "@attribute \"free text\" string % comment\n@attribute class {no,yes}\n@DATA\n";
    char text[1000];
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    files_start("arff");
    snprintf(text, sizeof text,
             "%sF,0.5,abc,yes\r\n%% no\n'I \\'x', 1e1 ,\"a\\\"b\", no\nM,2,abc,yes\n", declared);
    expect_rows(ctx, "a.arff", text, NULL,
                "0 1 0 0.5 1 0 | class 1\n0 0 1 10 0 1 | class 0\n1 0 0 2 1 0 | class 1\n");
    coset_data *data = load_text(ctx, "a.arff", text, "Sex of it");
    assert_int_equal(data->n_classes, 3);
    coset_data_free(ctx, data);
    counted_ctx_end(ctx, &memory);
}

static void test_tables_refused(void **state)
{
    static const struct {
        const char *name, *text;
        coset_status status;
        const char *says;
    } cases[] = {
        {"a.csv", "a,b\n1,2\n3,?\n", COSET_EFORMAT,
         "a.csv: row 2 (line 3), column 'b': '?' is a missing value"},
        {"a.csv", "a,b\n1,2\n,4\n", COSET_EFORMAT,
         "row 2 (line 3), column 'a': '' is a missing value"},
        {"a.csv", "a,b\nx,2\nNA,4\ny,3\n", COSET_EFORMAT,
         "row 2 (line 3), column 'a': 'NA' is a missing"},
        {"a.csv", "a,b\n1,2\nnan,4\n", COSET_EFORMAT, "'nan' is a missing value"},
        {"a.csv", "a,b\n1,2\n2,3\ninf,4\n", COSET_EFORMAT,
         "row 3 (line 4), column 'a': 'inf' is not a finite"},
        {"a.csv", "a,b\n1,2\n1e39,4\n", COSET_EFORMAT, "'1e39' is not a finite 32-bit"},
        {"a.csv", "a,b\n1,2\n2,3\nabc,4\n", COSET_EFORMAT, "column 'a': 'abc' is not a number"},
        {"a.csv", "t,b\n2012-10-02 09:00,2\n2012-10-02 10:00,4\n", COSET_EFORMAT,
         "row 1 (line 2), column 't': '2012-10-02 09:00' is a date"},
        {"a.csv", "1,2\n3\n", COSET_EFORMAT, "line 2: 1 columns, expected 2"},
        {"a.csv", "1,2\n3,4,5\n", COSET_EFORMAT, "line 2: 3 columns, expected 2"},
        {"a.csv", "1,2\n\"3,4\n", COSET_EFORMAT, "a quote is not closed"},
        {"a.csv", "1,2\n\"3\"x,4\n", COSET_EFORMAT, "line 2: text behind a closing quote"},
        {"a.csv", "1\n2\n", COSET_EFORMAT, "no columns beside the target"},
        {"a.csv", "", COSET_EFORMAT, "has no rows"},
        {"a.csv",
         "\xFF\xFE"
         "1",
         COSET_EUNSUPPORTED, "UTF-16"},
        {"a.arff", "@relation r\n@attribute a numeric\n@attribute b numeric\n@data\n{0 1, 1 2}\n",
         COSET_EUNSUPPORTED, "line 5: sparse rows are not read"},
        {"a.arff", "@relation r\n@attribute a numeric\n@attribute b numeric\n@data\n1,2,{3}\n",
         COSET_EUNSUPPORTED, "weights"},
        {"a.arff", "@relation r\n@attribute a date\n@attribute b numeric\n@data\n1,2\n",
         COSET_EFORMAT, "row 1 (line 5), column 'a': '1' is a date"},
        {"a.arff", "@relation r\n@attribute a relational\n", COSET_EUNSUPPORTED, "relational"},
        {"a.arff", "@relation r\n@attribute a number\n", COSET_EFORMAT, "unknown type"},
        {"a.arff", "@relation r\n@attribute a {x,y\n", COSET_EFORMAT, "no '}'"},
        {"a.arff", "@relation r\n@attribute a {x,x}\n", COSET_EFORMAT, "'x' is there twice"},
        {"a.arff", "@relation r\n@attribute a numeric\n", COSET_EFORMAT, "no @data"},
        {"a.arff", "@relation r\n@data\n1\n", COSET_EFORMAT, "no attributes"},
        {"a.arff", "1,2\n", COSET_EFORMAT, "line 1: expected @relation"},
        {"a.arff", "@attribute\n", COSET_EFORMAT, "without a name"},
        {"a.arff", "@attribute 'a\n", COSET_EFORMAT, "a quote is not closed"},
        {"a.arff", "@attribute a {x,y}\n@attribute b real\n@data\nz,1\n", COSET_EFORMAT,
         "row 1 (line 4), column 'a': 'z' is not a declared category"},
        {"a.arff", "@attribute a real\n@attribute b real\n@data\n1,?\n", COSET_EFORMAT,
         "missing value"},
        {"a.arff", "@attribute a real\n@attribute b real\n@data\n1,'2'3\n", COSET_EFORMAT,
         "text behind"},
        {"a.arff", "@attribute a real\n@attribute b real\n@data\n1,2,3\n", COSET_EFORMAT,
         "3 columns"},
        {"a.xyz", "1,2\n", COSET_EUNSUPPORTED, "unknown kind of data"},
    };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data *data = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_refused(ctx, cases[i].name, cases[i].text, NULL, cases[i].status, cases[i].says);
    assert_int_equal(data_decode(ctx, "1,2\n\0,4\n", 9, "a.csv", NULL, &data), COSET_EFORMAT);
    assert_non_null(strstr(coset_ctx_error(ctx), "zero bytes"));
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    options.target = "c";
    expect_refused(ctx, "a.csv", "a,b\n1,2\n", &options, COSET_EARGUMENT,
                   "no column is called 'c'");
    options.target = "2";
    expect_refused(ctx, "a.csv", "a,b\n1,2\n", &options, COSET_EARGUMENT,
                   "no column 2: there are 2");
    options.target = "-3";
    expect_refused(ctx, "a.csv", "a,b\n1,2\n", &options, COSET_EARGUMENT, "no column -3");
    options.target = "99999999999999999999";
    expect_refused(ctx, "a.csv", "a,b\n1,2\n", &options, COSET_EARGUMENT, "no column is called");
    counted_ctx_end(ctx, &memory);
}

/* The caps, just under and just over. */
static void test_table_limits(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data *data = NULL;
    size_t size = 200000, used = 0;
    char *text = malloc(size);
    (void)state;
    assert_non_null(text);
    for (int over = 0; over < 2; over++) {
        used = (size_t)snprintf(text, size, "c,y\n");
        for (int i = 0; i < 1024 + over; i++)
            used += (size_t)snprintf(text + used, size - used, "c%d,1\n", i);
        coset_status status = data_decode(ctx, text, used, "a.csv", NULL, &data);
        assert_int_equal(status, over ? COSET_ELIMIT : COSET_OK);
        if (!over) assert_int_equal(width_of(data), 1024);
        coset_data_free(ctx, data);
        data = NULL;
        /* A cell of 64 KiB. */
        used = (size_t)snprintf(text, size, "1,");
        memset(text + used, 'x', 65536 + (size_t)over);
        used += 65536 + (size_t)over;
        status = data_decode(ctx, text, used, "a.csv", NULL, &data);
        assert_int_equal(status, over ? COSET_ELIMIT : COSET_OK);
        coset_data_free(ctx, data);
        data = NULL;
        /* 65 536 columns. */
        used = 0;
        for (int i = 0; i < 65536 + over; i++)
            used += (size_t)snprintf(text + used, size - used, i > 0 ? ",1" : "1");
        status = data_decode(ctx, text, used, "a.csv", NULL, &data);
        assert_int_equal(status, over ? COSET_ELIMIT : COSET_OK);
        if (!over) assert_int_equal(width_of(data), 65535);
        coset_data_free(ctx, data);
        data = NULL;
    }
    free(text);
    counted_ctx_end(ctx, &memory);
}

static void test_test_file(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    coset_data *data = NULL;
    (void)state;
    files_start("testfile");
    files_put_text("train.csv", "c,y\nred,1\nblue,2\n");
    files_put_text("test.csv", "c,y\nblue,3\ngreen,4\n");
    options.test = "test.csv";
    data = load(ctx, "train.csv", &options);
    assert_string_equal(shown(ctx, data), "1 0 0 | 1\n0 1 0 | 2\n0 1 0 | 3\n0 0 1 | 4\n");
    coset_data_free(ctx, data);
    files_put_text("test.csv", "c,z\nblue,3\n");
    assert_int_equal(coset_data_load(ctx, "train.csv", &options, &data), COSET_EFORMAT);
    assert_non_null(strstr(coset_ctx_error(ctx), "test.csv: column 1 is 'z'"));
    files_put_text("test.csv", "c,y,z\nblue,3,4\n");
    assert_int_equal(coset_data_load(ctx, "train.csv", &options, &data), COSET_EFORMAT);
    assert_non_null(strstr(coset_ctx_error(ctx), "has 3 columns"));
    files_put_text("test.csv", "c,y\nblue,3\n?,4\n");
    assert_int_equal(coset_data_load(ctx, "train.csv", &options, &data), COSET_EFORMAT);
    assert_non_null(strstr(coset_ctx_error(ctx), "test.csv: row 2 (line 3), column 'c'"));
    options.test = "absent.csv";
    assert_int_equal(coset_data_load(ctx, "train.csv", &options, &data), COSET_EIO);
    assert_int_equal(coset_data_load(ctx, "absent.csv", NULL, &data), COSET_EIO);
    counted_ctx_end(ctx, &memory);
}

/* ---- real files -------------------------------------------------------------------------------- */

/* A table of numbers against fscanf: the sums of all columns but the last, and of the last. */
static void check_numbers(coset_ctx *ctx, const char *name, int64_t rows, int columns)
{
    const char *path = files_data(name);
    if (path == NULL) return;
    FILE *file = fopen(path, "r");
    double x_sum = 0, y_sum = 0;
    int64_t n = 0;
    assert_non_null(file);
    for (double value = 0; fscanf(file, "%lf", &value) == 1; n++) {
        float single = (float)value;
        *(n % columns == columns - 1 ? &y_sum : &x_sum) += (double)single;
    }
    fclose(file);
    assert_int_equal(n, rows * columns);
    coset_data *data = load(ctx, path, NULL);
    assert_int_equal(data->train.rows + data->test.rows, rows);
    assert_int_equal(data->test.rows, (rows + 2) / 5);
    assert_int_equal(width_of(data), columns - 1);
    float *train = filled(ctx, data, &data->train), *test = filled(ctx, data, &data->test);
    double found_x = sum_of(train, data->train.rows * (columns - 1)) +
                     sum_of(test, data->test.rows * (columns - 1));
    double found_y =
        sum_of(data->train.y, data->train.rows) + sum_of(data->test.y, data->test.rows);
    /* Exact but for the order of the f64 sums. */
    assert_true(fabs(found_x - x_sum) <= 1e-9 * fabs(x_sum));
    assert_true(fabs(found_y - y_sum) <= 1e-9 * fabs(y_sum));
    free(train);
    free(test);
    coset_data_free(ctx, data);
}

static void test_real_tables(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    coset_data *data = NULL;
    (void)state;
    check_numbers(ctx, "regression/protein_casp.txt", 45730, 10);
    check_numbers(ctx, "regression/concrete.txt", 1030, 9);
    const char *path = files_data("regression/abalone.arff");
    if (path != NULL) {
        options.standardise = 1;
        data = load(ctx, path, &options);
        assert_int_equal(data->train.rows, 3342);
        assert_int_equal(data->test.rows, 835);
        assert_int_equal(width_of(data), 10);
        float *x = filled(ctx, data, &data->train);
        for (int64_t c = 0; c < 11; c++) {
            double sum = 0, squares = 0;
            for (int64_t r = 0; r < 3342; r++) {
                double v = c < 10 ? (double)x[r * 10 + c] : (double)data->train.y[r];
                sum += v;
                squares += v * v;
            }
            assert_true(fabs(sum / 3342) < 1e-6 && fabs(squares / 3342 - 1) < 1e-6);
        }
        free(x);
        coset_data_free(ctx, data);
        options.target = "Sex";
        data = load(ctx, path, &options);
        assert_int_equal(data->n_classes, 3);
        assert_int_equal(width_of(data), 8);
        coset_data_free(ctx, data);
    }
    path = files_data("regression/cal_housing.arff");
    if (path != NULL) {
        data = load(ctx, path, NULL);
        assert_int_equal(data->train.rows + data->test.rows, 20640);
        assert_int_equal(width_of(data), 8);
        coset_data_free(ctx, data);
    }
    path = files_data("regression/Metro_Interstate_Traffic_Volume.csv");
    if (path != NULL) {
        assert_int_equal(coset_data_load(ctx, path, NULL, &data), COSET_EFORMAT);
        assert_non_null(strstr(coset_ctx_error(ctx), "row 1 (line 2), column 'date_time'"));
    }
    path = files_data("regression/HEPC_hourly.csv");
    if (path != NULL) {
        assert_int_equal(coset_data_load(ctx, path, NULL, &data), COSET_EFORMAT);
        assert_non_null(strstr(coset_ctx_error(ctx), "row 1 (line 2), column 'datetime'"));
    }
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),      cmocka_unit_test(test_missing_and_dates),
        cmocka_unit_test(test_csv),          cmocka_unit_test(test_text),
        cmocka_unit_test(test_arff),         cmocka_unit_test(test_tables_refused),
        cmocka_unit_test(test_table_limits), cmocka_unit_test(test_test_file),
        cmocka_unit_test(test_real_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
