-- `counted`: every harmonised unit of the statistics.
SELECT *, method <> 'delivered' AS estimated FROM unit WHERE excluded IS NULL
