#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/report.h"

static const char *unknown(char *text)
{
    return strcpy(text, "-");
}

/* Three digits and the unit: "1.23 M", "67.1 M", "270 M". value >= 1000. */
static const char *scaled(double value, const char *const units[], int n_units, const char *suffix,
                          char *text)
{
    int unit = 0;
    /* 999.5 would be printed as 1000. */
    while (fabs(value) >= 999.5 && unit + 1 < n_units) {
        value /= 1000;
        unit++;
    }
    double size = fabs(value);
    int digits = size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
    snprintf(text, REPORT_NUMBER, "%.*f %s%s", digits, value, units[unit], suffix);
    return text;
}

const char *number_count(double value, char *text)
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};
    if (!isfinite(value)) return unknown(text);
    if (value < 0 || value != floor(value)) return number_real(value, text);
    if (value >= 1e6) return scaled(value, units, 7, "", text);
    int thousands = (int)(value / 1000), rest = (int)(value - 1000.0 * thousands);
    if (thousands > 0) {
        snprintf(text, REPORT_NUMBER, "%d %03d", thousands, rest);
    } else {
        snprintf(text, REPORT_NUMBER, "%d", rest);
    }
    return text;
}

const char *number_bytes(double value, char *text)
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};
    if (!isfinite(value)) return unknown(text);
    if (value >= 1000) return scaled(value, units, 7, "B", text);
    snprintf(text, REPORT_NUMBER, "%.0f B", value);
    return text;
}

const char *number_share(double value, char *text)
{
    if (!isfinite(value)) return unknown(text);
    snprintf(text, REPORT_NUMBER, "%.1f%%", 100 * value);
    return text;
}

const char *number_real(double value, char *text)
{
    if (!isfinite(value)) return unknown(text);
    double size = fabs(value);
    if (size == 0) {
        snprintf(text, REPORT_NUMBER, "0");
    } else if (size >= 1e-3 && size < 1e5) {
        snprintf(text, REPORT_NUMBER, "%.4f", value);
    } else {
        snprintf(text, REPORT_NUMBER, "%.1e", value);
    }
    return text;
}

const char *number_seconds(double value, char *text)
{
    if (!isfinite(value) || value < 0) return unknown(text);
    if (value < 9.995) {
        snprintf(text, REPORT_NUMBER, "%.2f s", value);
    } else if (value < 119.5) {
        snprintf(text, REPORT_NUMBER, "%.0f s", value);
    } else if (value < 7199.5) {
        int seconds = (int)(value + 0.5);
        snprintf(text, REPORT_NUMBER, "%d min %02d s", seconds / 60, seconds % 60);
    } else {
        snprintf(text, REPORT_NUMBER, "%.1f h", value / 3600);
    }
    return text;
}
