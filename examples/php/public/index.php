<?php
header('Content-Type: application/json');
echo json_encode(['orders' => [], 'asked' => $_SERVER['REQUEST_URI']]);
